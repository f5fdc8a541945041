import type { Pool } from "../manifest/service.ts";

/** What an environment variable of an engine does; `undefined` for one that nothing here knows. */
export function variableMeaning(name: string, pool: Pool): string | undefined {
  if (name === "VLLM_ADDITIONAL_ARGS") return argumentsMeaning(pool);
  const exact = MEANINGS.get(name);
  if (exact !== undefined) return exact;
  return PREFIXES.find(([prefix]) => name.startsWith(prefix))?.[1];
}

const MEANINGS: ReadonlyMap<string, string> = new Map([
  [
    "KSERVE_INFER_ROCE",
    "Lets KServe's start script look for active RoCE cards and fill in their names and GID index for NCCL, NVSHMEM and UCX. It does not switch RDMA on: without a card there is a warning and vLLM starts all the same.",
  ],
  [
    "VLLM_NIXL_SIDE_CHANNEL_HOST",
    "Address that the engine names to its partner for the NIXL handshake. The default localhost works on one host only, so it has to be the pod's own address.",
  ],
  ["VLLM_NIXL_SIDE_CHANNEL_PORT", "First port of the NIXL handshake; 5600 unless set."],
  [
    "VLLM_NIXL_ABORT_REQUEST_TIMEOUT",
    "Seconds for which prefill keeps blocks for a decode engine that never comes.",
  ],
  [
    "UCX_TLS",
    "List of transports that UCX may use. Without tcp in it there is no fallback: where no RDMA device works, transfers fail instead of being slow.",
  ],
  [
    "UCX_PROTO_INFO",
    "Prints the transport that UCX chose for each operation: evidence that RDMA is used, and noise in production.",
  ],
  ["UCX_NET_DEVICES", "Network cards that UCX may use; KSERVE_INFER_ROCE fills it in."],
  ["UCX_IB_GID_INDEX", "Address of the RoCE card that UCX uses; KSERVE_INFER_ROCE fills it in."],
  ["HF_TOKEN", "Token for models that Hugging Face does not give to everybody."],
]);

const PREFIXES: readonly (readonly [prefix: string, meaning: string])[] = [
  ["UCX_", "Setting of UCX, the library that moves KV cache for NIXL."],
  ["NCCL_", "Setting of NCCL: GPUs of one engine talk by it; KV transfers do not."],
  ["VLLM_", "Setting of vLLM."],
  ["KSERVE_", "Setting of KServe's start script."],
];

/** What the words of the variable change, flag by flag. */
function argumentsMeaning({ engineArguments }: Pool): string {
  const { kvTransfer, flags } = engineArguments;
  const said = [...flags.keys()].flatMap((flag) => {
    if (flag === "kv-transfer-config" && kvTransfer !== undefined) {
      return `${kvTransfer.connector} (${kvTransfer.role}) hands over KV cache; over what, UCX decides.`;
    }
    return flag === "disable-uvicorn-access-log"
      ? "Switches off the log of HTTP requests; nothing else."
      : [];
  });
  return ["Appended to vLLM's command line.", ...said].join(" ");
}
