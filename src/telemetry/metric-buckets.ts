// Bucket sets of the llm-d endpoint picker, whose dashboards and alerts rely on them.
export const LATENCY_SECONDS: readonly number[] = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];
export const TTFT_SECONDS: readonly number[] = LATENCY_SECONDS.filter((bound) => bound <= 120);
export const SCHEDULING_SECONDS: readonly number[] = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
];
export const REQUEST_BYTES: readonly number[] = Array.from(
  { length: 25 },
  (_, power) => 64 * 2 ** power,
);
export const RESPONSE_BYTES: readonly number[] = [
  1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32778, 65536,
];
export const TOKENS: readonly number[] = [...RESPONSE_BYTES, 131072, 262144, 524288, 1048576];
export const OUTPUT_TOKENS: readonly number[] = RESPONSE_BYTES.filter((bound) => bound <= 8192);
export const NTPOT_SECONDS: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
];
export const TPOT_SECONDS: readonly number[] = [
  0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6,
  0.8, 1, 2,
];
export const ITL_SECONDS: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2,
];
export const RATIOS: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
export const HIT_BYTES: readonly number[] = [
  0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536,
];
