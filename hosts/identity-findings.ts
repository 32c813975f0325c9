/** What hosts say of each other: data goes only between two that each know the identity that the other has now (S28). */
import type { Finding } from './doctor-findings';
import type { Probe } from './replies';

/** What a host tells of identities; a hostkit that is older tells nothing. */
export type Told = Pick<Probe, 'identity' | 'peers'>;

/** Where two hosts do not know each other, each way: a copy between them would be refused in its middle. Who has told nothing is left out. */
export function identityFindings(options: {
  target: string;
  /** Hosts that data comes from, or goes to. */
  others: readonly string[];
  told: ReadonlyMap<string, Told>;
  level: 'warn' | 'fail';
}): Finding[] {
  const { target, others, told, level } = options;
  const pairs = [...new Set(others)].flatMap((other) =>
    other === target ? [[target, target] as const] : [[target, other] as const, [other, target] as const],
  );
  return pairs.flatMap(([host, peer]): Finding[] => {
    const known = told.get(host)?.peers;
    const identity = told.get(peer)?.identity;
    if (known === undefined || identity === undefined || known[peer] === identity) return [];
    const message =
      known[peer] === undefined ? `knows no identity of ${peer}` : `knows another identity of ${peer} than it has now`;
    return [{ host, check: 'identity', level, message, mend: `run \`resurgo enroll ${host} --update\`` }];
  });
}
