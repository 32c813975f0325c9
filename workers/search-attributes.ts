/** Typed keys of our search attributes, and their registration with a server. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../planning/search-attributes';
import { EngineError } from './errors';

/** Typed keys, for clients that start or list runs. */
export const searchAttributeKeys = {
  group: defineSearchAttributeKey(SEARCH_ATTRIBUTES.group.name, 'KEYWORD'),
  backupId: defineSearchAttributeKey(SEARCH_ATTRIBUTES.backupId.name, 'KEYWORD'),
  outcome: defineSearchAttributeKey(SEARCH_ATTRIBUTES.outcome.name, 'KEYWORD'),
  needsOperator: defineSearchAttributeKey(SEARCH_ATTRIBUTES.needsOperator.name, 'BOOL'),
  host: defineSearchAttributeKey(SEARCH_ATTRIBUTES.host.name, 'KEYWORD'),
  runbook: defineSearchAttributeKey(SEARCH_ATTRIBUTES.runbook.name, 'KEYWORD'),
} as const;

/** `IndexedValueType` of Temporal's API. */
const serverTypes = { KEYWORD: 2, BOOL: 5 } as const;

/**
 * Registers what is missing of our search attributes, waits until they can be used, and returns the names it added. Harmless to repeat, and to run from two
 * processes at once.
 * @throws EngineError `search-attributes` when the server refuses, or one exists with another type
 */
export async function registerSearchAttributes({
  connection,
  namespace,
  waitMs = 45_000,
}: {
  connection: Connection;
  namespace: string;
  waitMs?: number;
}): Promise<string[]> {
  const end = Date.now() + waitMs;
  const added = new Set<string>();
  for (;;) {
    try {
      const present = await listed(connection, namespace);
      const missing = Object.values(SEARCH_ATTRIBUTES).filter(({ name }) => !present.has(name));
      if (missing.length === 0) {
        checkTypes(present, namespace);
        await probe(connection, namespace);
        return [...added];
      }
      for (const { name } of missing) added.add(name);
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, serverTypes[type]])),
      });
    } catch (error) {
      // Another process may add the same ones at the same time, and a young namespace may not be known everywhere yet.
      if (error instanceof EngineError || Date.now() >= end) throw refused(namespace, error);
    }
    await sleep(200);
  }
}

async function listed(connection: Connection, namespace: string): Promise<Map<string, number>> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return new Map(Object.entries(customAttributes));
}

/**
 * Asks for runs by each attribute: a server lists one as soon as it is added, yet refuses runs that carry it until its cache of
 * namespaces has caught up (some seconds on PostgreSQL).
 */
async function probe(connection: Connection, namespace: string): Promise<void> {
  const query = Object.values(SEARCH_ATTRIBUTES)
    .map(({ name }) => `${name} IS NULL`)
    .join(' AND ');
  await connection.workflowService.countWorkflowExecutions({ namespace, query });
}

function checkTypes(present: Map<string, number>, namespace: string): void {
  for (const { name, type } of Object.values(SEARCH_ATTRIBUTES)) {
    if (present.get(name) !== serverTypes[type]) {
      throw new EngineError({
        code: 'search-attributes',
        step: 'checking search attributes',
        problem: `${name} exists in namespace "${namespace}" with another type than ${type}`,
        next: 'Use a namespace of its own for Resurgo (TEMPORAL_NAMESPACE).',
      });
    }
  }
}

function refused(namespace: string, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const flags = Object.values(SEARCH_ATTRIBUTES)
    .map(({ name, type }) => `--name ${name} --type ${type === 'BOOL' ? 'Bool' : 'Keyword'}`)
    .join(' ');
  return new EngineError({
    code: 'search-attributes',
    step: 'registering search attributes',
    problem: `the server refused them for namespace "${namespace}" (${cause instanceof Error ? cause.message : String(cause)})`,
    next: `Have an administrator of the server run: temporal operator search-attribute create --namespace ${namespace} ${flags}`,
    cause,
  });
}
