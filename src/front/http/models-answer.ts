import { type Answer, jsonAnswer } from "./error-answer.ts";
import type { FrontPool, ServedModel } from "./front-pool.ts";

/** `GET /v1/models`: the models of all the pools, each once, in OpenAI's list shape. */
export function modelListAnswer(pools: readonly FrontPool[]): Answer {
  const byId = new Map<string, ServedModel>();
  for (const model of pools.flatMap((pool) => pool.servedModels())) {
    if (!byId.has(model.id)) byId.set(model.id, model);
  }
  return jsonAnswer(200, { object: "list", data: [...byId.values()].map(modelObject) });
}

/** `GET /v1/models/{id}`; undefined when no pool serves it. */
export function modelAnswer(pools: readonly FrontPool[], id: string): Answer | undefined {
  const models = pools.flatMap((pool) => pool.servedModels());
  const model = models.find((known) => known.id === id);
  return model === undefined ? undefined : jsonAnswer(200, modelObject(model));
}

function modelObject(model: ServedModel): object {
  return { id: model.id, object: "model", created: model.created, owned_by: model.ownedBy };
}
