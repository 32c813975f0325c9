/** The runbook of a crash lab, and the hook that one of its hosts has. */
import type { Fleet } from '../../lab/support/fleet';

export const APPS = ['app-1', 'app-2'] as const;
export const GROUP = 'portal';
export const STORE = 'main';

/** Writes down each call, and to which run it belonged. */
export const HOOK = {
  name: 'dump',
  command: '/usr/local/bin/dump',
  program: '#!/bin/sh\necho "$1 $3" >>/var/lib/hooked\n',
  /** The calls, a line each: phase and run. */
  calls: '/var/lib/hooked',
};

/** Two sources with btrfs snapshots, one store; `hooks`: with the hook of app-1 around each freeze. */
export function runbookText({ fleet, hooks }: { fleet: Fleet; hooks: boolean }): string {
  const hosts = fleet.hosts.map(
    ({ name, address }) => `  ${name}: { address: ${address}, restore_to: [/var/restore] }`,
  );
  const sources = APPS.map((app) => `      - { host: ${app}, path: /srv, name: data, snapshot: btrfs }`);
  const hook = `[{ host: ${APPS[0]}, name: ${HOOK.name}, command: ${HOOK.command} }]`;
  const quiesce = hooks ? `    quiesce: { hooks: { before: ${hook}, after: ${hook} } }\n` : '';
  return `version: 1
hosts:
${hosts.join('\n')}
stores:
  ${STORE}: { host: target, kind: btrfs, place: /backup }
groups:
  ${GROUP}:
    sources:
${sources.join('\n')}
    target: ${STORE}
${quiesce}    rpo: 24h
`;
}
