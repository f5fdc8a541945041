/** Codes of the `grpc-status` trailer that this server sends (gRPC, statuscodes.md). */
export const GRPC_STATUS = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
} as const;

/** One of those codes. */
export type GrpcStatus = (typeof GRPC_STATUS)[keyof typeof GRPC_STATUS];

/** A breach of the protocol by the client: the call ends with the status, and the message says why. */
export class GrpcFault extends Error {
  override readonly name: string = "GrpcFault";
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, message: string) {
    super(message);
    this.status = status;
  }
}
