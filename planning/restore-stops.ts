/** Which hosts a restore stops, and in which order. */
import type { TargetGroup } from './restore-select';

export interface RestoreStop {
  host: string;
  what: 'containers' | 'engine' | 'units';
  /** From 1; the hosts of a wave are stopped together. */
  wave: number;
}

/**
 * In the runbook's order. An engine is stopped on all hosts: its swarm would start elsewhere what stops here.
 * @param options.stopWaves the group's hosts, those of a wave together; `touched`: those that are written to
 */
export function planStops(options: {
  target: TargetGroup;
  stopWaves: readonly (readonly string[])[];
  whole: boolean;
  touched: ReadonlySet<string>;
  warnings: string[];
}): RestoreStop[] {
  const { target, stopWaves, whole, touched, warnings } = options;
  const { stop, stopOrder } = target.restore;
  const everywhere = whole || stop === 'engine';
  const waves = stopWaves
    .map((wave) => wave.filter((host) => everywhere || touched.has(host)))
    .filter((wave) => wave.length > 0);
  const left = stopOrder.filter((host) => !waves.flat().includes(host));
  if (left.length > 0) warnings.push(`these hosts of group ${target.name} go on running meanwhile: ${left.join(', ')}`);
  return waves.flatMap((wave, index) => wave.map((host) => ({ host, what: stop, wave: index + 1 })));
}

/** The hosts of a plan's stops, wave by wave. */
export function wavesOf(stops: readonly RestoreStop[]): string[][] {
  return [...new Set(stops.map((stop) => stop.wave))].map((wave) =>
    stops.filter((stop) => stop.wave === wave).map((stop) => stop.host),
  );
}
