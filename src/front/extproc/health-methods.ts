import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "./gen/grpc/health/v1/health_pb.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";
import { PROCESSOR_SERVICE } from "./processor-service.ts";
import { unaryMethod } from "./unary-method.ts";

/** What health is told of; asked for at each check. */
export interface HealthSource {
  /** Whether calls are wanted: the pool is known, and the program is not about to stop. */
  isReady(): boolean;
}

/** Services that depend on readiness; `liveness` does not (llm-d). */
const READY_SERVICES: ReadonlySet<string> = new Set(["", "readiness", PROCESSOR_SERVICE]);

/** `grpc.health.v1.Health`: Check alone, as llm-d serves it. */
export function healthMethods(source: HealthSource): ReadonlyMap<string, GrpcMethod> {
  const check = (message: Uint8Array): Uint8Array => {
    const service = serviceOf(message);
    const isServing = service === "liveness" || (READY_SERVICES.has(service) && source.isReady());
    if (!isServing && !READY_SERVICES.has(service)) {
      throw new GrpcFault(GRPC_STATUS.notFound, "unknown service");
    }
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    const status = isServing ? SERVING : NOT_SERVING;
    return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status }));
  };
  return new Map([["/grpc.health.v1.Health/Check", unaryMethod(check)]]);
}

function serviceOf(message: Uint8Array): string {
  try {
    return fromBinary(HealthCheckRequestSchema, message).service;
  } catch {
    // Its text would only repeat offsets of the client's own bytes.
    throw new GrpcFault(GRPC_STATUS.invalidArgument, "the message is not a HealthCheckRequest");
  }
}
