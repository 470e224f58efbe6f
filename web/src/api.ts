// The workbench's JSON, asked once and kept.
import type { AnswerDoc, GraphDoc, ModelDoc, PassesDoc, PlanDoc, ProfileDoc, QuantizedDoc } from './types';

export class ApiError extends Error {
  constructor(message: string, readonly code = '', readonly fix = '') { super(message); }
}

async function ask<T>(path: string, options?: RequestInit): Promise<T> {
  let reply: Response;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new ApiError('the workbench does not answer any more', '', 'start athanor workbench again');
  }
  const text = await reply.text();
  let body: T & { error?: string; code?: string; fix?: string };
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(text.slice(0, 400) || reply.statusText);
  }
  if (!reply.ok) throw new ApiError(body.error ?? reply.statusText, body.code, body.fix);
  return body;
}

const kept = new Map<string, Promise<unknown>>();
function once<T>(path: string): Promise<T> {
  let found = kept.get(path) as Promise<T> | undefined;
  if (!found) {
    found = ask<T>(path);
    kept.set(path, found);
    found.catch(() => kept.delete(path));
  }
  return found;
}

export const api = {
  model: () => once<ModelDoc>('/api/model'),
  graph: (form: 'raw' | 'optimized') => once<GraphDoc>(`/api/graph?form=${form}`),
  plan: () => once<PlanDoc>('/api/plan'),
  profile: () => once<ProfileDoc>('/api/profile'),
  passes: () => once<PassesDoc>('/api/passes'),
  quantized: () => once<QuantizedDoc>('/api/quantized'),
  measureAgain(): Promise<ProfileDoc> {
    const fresh = ask<ProfileDoc>('/api/profile?runs=20');
    kept.set('/api/profile', fresh);
    fresh.catch(() => kept.delete('/api/profile'));
    return fresh;
  },
  run(values: Record<string, string>, body: BodyInit = ''): Promise<AnswerDoc> {
    return ask<AnswerDoc>(`/api/run?${new URLSearchParams(values)}`, { method: 'POST', body });
  },
};
