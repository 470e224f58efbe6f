// The JSON documents of src/tools/workbench_screens.cpp.

export interface Port { name: string; dtype?: string; shape?: (number | string | null)[] | null; type?: string }

export interface ModelDoc {
  model: string; command_word: string; version: string; labels: number; quantized: boolean;
  inputs: Port[]; outputs: Port[]; ops: Record<string, number>; nodes: number; params: number; flops: number;
  weight_bytes: number; peak_activation_bytes: number; symbols: string[]; picture_inputs: string[];
  image: { mean: string; std: string; scale: string; layout: string; crop: string; resize: string; bgr: boolean };
}

export interface NodeDoc {
  id: number; name: string; op: string; in: (number | null)[]; out: (number | null)[];
  attributes: [string, string][]; flops: number | null; bodies?: { name: string; nodes: number }[];
}
export interface ValueDoc { id: number; name: string; type: string; bytes?: number; text?: string }
export interface GraphDoc {
  name: string; inputs: number[]; outputs: { name: string; value: number }[]; nodes: NodeDoc[]; values: ValueDoc[];
  ops: Record<string, { summary: string; inputs: string[]; outputs: string[] }>;
}

export interface Candidate { kernel: string; fits: boolean; estimated_us?: number; reason?: string }
export interface StepDoc {
  op: string; node: string; kernel: string; output: string; flops: number; bytes: number; clones: number;
  bytes_saved_by_cloning: number; candidates: Candidate[]; nodes: number[]; alive_bytes: number;
}
export interface PlanDoc { steps: StepDoc[]; arena_bytes: number; lower_bound_bytes: number }
export interface FloorDoc { bound: 'compute' | 'memory' | 'overhead' | null; floor_ms: number | null; percent_of_floor: number | null; memory_level: string | null; arithmetic: string | null }
export interface AdviceDoc { kind: string; text: string; gain_ms: number; gain_percent: number; command: string }
export interface ProfileDoc { runs: number; steps_ms: number[]; total_ms: number; floor_ms: number; floors: FloorDoc[]; peak_position: number; advice: AdviceDoc[] }

export interface Side { nodes: number; ops: Record<string, number>; flops: number; weight_bytes: number; peak_activation_bytes: number }
export interface PassesDoc {
  rounds: number; runs: { pass: string; summary: string; fired: Record<string, number>; nodes_left: number }[];
  before: Side; after: Side; steps: number; fates: { id: number; fate: Fate; op?: string; now?: number }[];
}
export interface QuantizedForm { bytes: number; median_ms: number; top1?: number; top5?: number; agreement?: number }
export interface TrialDoc { in_float: number; value: number; integer_share: number; estimated_ms?: number }
export interface TensorDoc { tensor: string; low: number; high: number; range: [number, number]; method: string; scale: number; zero_point: number; histogram: number[]; sqnr_db?: number | null; cosine?: number | null }
/** The report.json of `athanor quantize`; what is there depends on what was asked for. A number that is not finite is null. */
export interface QuantizedDoc {
  model: string; out: string; samples: number; task?: string; pass: boolean; method?: string; ranges?: string; corrections?: string; nodes?: number; quantized_nodes?: number;
  float: QuantizedForm; int8?: QuantizedForm; int4?: QuantizedForm; coded?: QuantizedForm; f16?: QuantizedForm; bf16?: QuantizedForm;
  n?: number; agreement?: number; mcnemar?: { only_float_right: number; only_int8_right: number; p: number };
  decision?: { max_drop: number; met: boolean; in_float: number; evaluations: number; trials: TrialDoc[]; ranked: { node: string; error: number; saved: number; in_float: boolean; float_ms?: number; int8_ms?: number }[] };
  times?: { measured: boolean; float_ms: number; int8_ms: number; change?: { before_ms: number; after_ms: number; float_ms: number };
    products: { node: string; op: string; float_ms: number; int8_ms: number; conversions_ms: number; on_integers: boolean; pays: boolean; returned: boolean }[] };
  spared?: { products: number; work: number; sqnr_db_before: number | null; sqnr_db: number | null };
  products?: (string | { node: string; weight_bits?: number; weights?: number; levels?: number; bytes?: number })[];
  float_products?: { node: string; op: string; reason: string }[]; dead_channels?: { node: string; channels: number[] }[]; always_zero?: string[]; tensors?: TensorDoc[];
  ablation?: { name: string; sqnr_db: number | null; value?: number }[]; tried?: { method: string; correct: string; sqnr_db: number | null }[];
  rungs?: { name: string; bytes: number; value: number; met: boolean }[];
}
export type Fate = 'kept' | 'changed' | 'gone';

export interface OutputDoc extends Port {
  values?: (number | string | null)[]; statistics?: { min: number; max: number; mean: number; std: number; not_finite: number };
  top?: { class: number; score: number; probability: number; label?: string }[]; items?: OutputDoc[];
}
export interface AnswerDoc {
  input: string; ms: number; outputs: OutputDoc[]; text: string;
  boxes?: { class: number; score: number; box: [number, number, number, number] }[] | null; no_boxes?: string;
}
