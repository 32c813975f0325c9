/** A request as text for one host, or the error that says why it can't be one. */
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { encodeRequest } from './request';
import { wireStep } from './wire-step';

/** @throws HostError `bad-request` when the hostkit would refuse it unread: too long, or no text */
export function writeRequest(request: { host: HostRef; verb: string; step?: string; args: object }): string {
  const { host, verb, step, args } = request;
  try {
    return encodeRequest({ verb, args: 'step' in args ? { ...args, step: stepOnWire(args.step) } : args });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new HostError({ host: host.name, verb, step, code: 'bad-request', message, cause: error });
  }
}

function stepOnWire(step: unknown): unknown {
  return typeof step === 'string' ? wireStep(step) : step;
}
