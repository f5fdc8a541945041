import { ProcessingMode_BodySendMode } from "./gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode_pb.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";
import type { ProcessingMessage } from "./processing-message.ts";

/** Refuses a filter that is set up so that it would wait for answers that never come; throws GrpcFault. */
export function checkModes({ modes, isObserving }: ProcessingMessage): void {
  const { FULL_DUPLEX_STREAMED } = ProcessingMode_BodySendMode;
  const isRight =
    modes === undefined ||
    (modes.request === FULL_DUPLEX_STREAMED && modes.response === FULL_DUPLEX_STREAMED);
  if (isRight && !isObserving) return;
  const message =
    "ext_proc needs request_body_mode and response_body_mode FULL_DUPLEX_STREAMED, headers and " +
    "trailers SEND, and no observability_mode";
  throw new GrpcFault(GRPC_STATUS.failedPrecondition, message);
}
