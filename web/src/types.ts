// The JSON documents of src/tools/workbench_screens.cpp.

export interface Port { name: string; dtype?: string; shape?: (number | string | null)[] | null; type?: string }

export interface ModelDoc {
  model: string; command_word: string; version: string; labels: number;
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
export type Fate = 'kept' | 'changed' | 'gone';

export interface OutputDoc extends Port {
  values?: (number | string | null)[]; statistics?: { min: number; max: number; mean: number; std: number; not_finite: number };
  top?: { class: number; score: number; probability: number; label?: string }[]; items?: OutputDoc[];
}
export interface AnswerDoc {
  input: string; ms: number; outputs: OutputDoc[]; text: string;
  boxes?: { class: number; score: number; box: [number, number, number, number] }[] | null; no_boxes?: string;
}
