/** Histories of finished runs as they are kept for replay: recorded, cleaned of the machine they ran on, read back. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { History } from '@temporalio/common/lib/proto-utils';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Outcome } from './outcome';

const FOLDER = path.resolve(__dirname, '../histories');

/** The file of a scenario. */
export function historyFile(name: string): string {
  return path.join(FOLDER, `${name}.json`);
}

/** One kept history. */
export function readHistory(name: string): History {
  return historyFromJSON(JSON.parse(readFileSync(historyFile(name), 'utf8')));
}

/** A history as text to keep: nothing of the machine or the person that recorded it. @throws where something of them is left */
export function cleanHistory(history: History): string {
  const text = `${JSON.stringify(clean(JSON.parse(historyToJSON(history))), null, 1)}\n`;
  const found = tracesIn(text);
  if (found.length > 0) throw new Error(`the history still holds ${found.join(', ')}`);
  return text;
}

/** What a kept history must not hold, and does: this machine's name, its user, its folders; within payloads too. */
export function tracesIn(text: string): string[] {
  const payloads = [...text.matchAll(/"data": "([A-Za-z0-9+/=]+)"/g)].map((match) =>
    Buffer.from(match[1] ?? '', 'base64').toString('latin1'),
  );
  const all = [text, ...payloads].join('\n');
  const patterns: [string, RegExp][] = [
    ["this machine's name", new RegExp(`\\b${escaped(hostname())}\\b`)],
    ["a user's process", new RegExp(`\\d+@[A-Za-z]|\\b${escaped(userInfo().username)}@`)],
    ['a folder of this machine', new RegExp(`${escaped(process.cwd())}|/home/|/root/|/tmp/|node_modules`)],
  ];
  return patterns.flatMap(([what, pattern]) => (pattern.test(all) ? [what] : []));
}

/** How a finished history ended: its last event. */
export function outcomeOf({ events }: History): Outcome {
  const last = events?.at(-1);
  const completed = last?.workflowExecutionCompletedEventAttributes;
  if (completed) {
    const payload = completed.result?.payloads?.[0];
    return { result: payload ? defaultPayloadConverter.fromPayload(payload) : undefined };
  }
  if (last?.workflowExecutionCanceledEventAttributes) return { failure: { type: 'cancelled', message: '' } };
  const failure = last?.workflowExecutionFailedEventAttributes?.failure;
  if (!failure) throw new Error('the history has no end');
  return { failure: { type: failure.applicationFailureInfo?.type ?? '', message: failure.message ?? '' } };
}

/** Fields that say who or what worked, never what was done. */
const PERSONAL: Readonly<Record<string, unknown>> = {
  identity: 'worker',
  stackTrace: undefined,
  binaryChecksum: undefined,
  workerVersion: undefined,
  deploymentVersion: undefined,
  workerDeploymentName: undefined,
  workerDeploymentVersion: undefined,
};

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key in PERSONAL) return [key, PERSONAL[key]];
      // The sticky queue of one worker process.
      if (key === 'taskQueue' && isSticky(inner)) return [key, { name: 'sticky', kind: 'TASK_QUEUE_KIND_STICKY' }];
      return [key, clean(inner)];
    }),
  );
}

function isSticky(queue: unknown): boolean {
  return typeof queue === 'object' && queue !== null && 'kind' in queue && String(queue.kind).endsWith('STICKY');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
