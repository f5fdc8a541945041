/** What a GPU gives to an engine. */
export interface GpuSpec {
  readonly name: string;
  /** Dense bf16 peak, FLOP/s. */
  readonly flopsPerSecond: number;
  readonly memoryBytesPerSecond: number;
  /** Memory that software can use. */
  readonly memoryBytes: number;
  /** To other GPUs of the host, bytes/s in one direction. */
  readonly linkBytesPerSecond: number;
  /** Share of the peak that large bf16 matrix products reach. */
  readonly gemmEfficiency: number;
}

/** Finds a GPU by name; case does not matter. */
export function findGpu(name: string): GpuSpec | undefined {
  const wanted = name.toUpperCase();
  return GPUS.find((gpu) => gpu.name === wanted);
}

const GIB = 2 ** 30;

// Vendor data sheets, dense figures. The efficiency of H100 is measured (vLLM prefill of Qwen3-32B); H200
// and B200 are taken to be like it, A100 and L40S are scaled by the utilisation that BLIS reports for them.
const GPUS: readonly GpuSpec[] = [
  gpu("L40S", { teraflops: 362, terabytes: 0.864, gib: 44.5, linkGigabytes: 25, gemm: 0.45 }),
  gpu("A100", { teraflops: 312, terabytes: 2.039, gib: 80, linkGigabytes: 300, gemm: 0.55 }),
  gpu("H100", { teraflops: 989, terabytes: 3.35, gib: 80, linkGigabytes: 450, gemm: 0.65 }),
  gpu("H200", { teraflops: 989, terabytes: 4.8, gib: 140.4, linkGigabytes: 450, gemm: 0.65 }),
  gpu("B200", { teraflops: 2250, terabytes: 8, gib: 179, linkGigabytes: 900, gemm: 0.65 }),
];

/** Names that `findGpu` knows, for error messages. */
export const GPU_NAMES: readonly string[] = GPUS.map((spec) => spec.name);

function gpu(
  name: string,
  sheet: {
    teraflops: number;
    terabytes: number;
    gib: number;
    linkGigabytes: number;
    gemm: number;
  },
): GpuSpec {
  return {
    name,
    flopsPerSecond: sheet.teraflops * 1e12,
    memoryBytesPerSecond: sheet.terabytes * 1e12,
    memoryBytes: sheet.gib * GIB,
    linkBytesPerSecond: sheet.linkGigabytes * 1e9,
    gemmEfficiency: sheet.gemm,
  };
}
