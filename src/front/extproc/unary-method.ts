import type { GrpcMethod } from "./grpc-call.ts";
import { frameOf } from "./grpc-frames.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";

/** A method with one message in and one out; `answer` may throw GrpcFault. */
export function unaryMethod(answer: (message: Uint8Array) => Uint8Array): GrpcMethod {
  return (call) => {
    let asked: Uint8Array | undefined;
    return {
      message(bytes) {
        if (asked !== undefined) {
          throw new GrpcFault(GRPC_STATUS.invalidArgument, "one message is expected");
        }
        asked = bytes;
      },
      halfClosed() {
        if (asked === undefined) {
          throw new GrpcFault(GRPC_STATUS.invalidArgument, "a message is expected");
        }
        call.send(frameOf(answer(asked)));
        call.end(GRPC_STATUS.ok);
      },
      drained: () => undefined,
      closed: () => undefined,
    };
  };
}
