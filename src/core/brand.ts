/** A string that cannot be swapped with another kind of string; made only where a value enters. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Unique name of an endpoint within its pool, such as `gpt-oss-20b-0`. */
export type EndpointId = Brand<string, "EndpointId">;
/** Well-formed `x-request-id`, the client's or ours. */
export type RequestId = Brand<string, "RequestId">;
/** Served model name as clients send it in the body. */
export type ModelName = Brand<string, "ModelName">;
/** Name of a scheduling profile, such as `default` or `decode`. */
export type ProfileName = Brand<string, "ProfileName">;

/** Casts at the edge where the value was checked or is the configuration's own. */
export const endpointId = (text: string): EndpointId => text as EndpointId;
/** Casts a request id that matches the well-formedness rule of the front that read it. */
export const requestId = (text: string): RequestId => text as RequestId;
/** Casts a model name read from a body or a manifest. */
export const modelName = (text: string): ModelName => text as ModelName;
/** Casts a profile name read from a configuration. */
export const profileName = (text: string): ProfileName => text as ProfileName;
