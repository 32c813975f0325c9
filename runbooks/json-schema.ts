/** The runbook's JSON Schema (draft 2020-12), for editors that complete and check while one types. */
import { z } from 'zod';
import { runbookSchema } from './schema';

/** JSON Schema of the written form, with descriptions and defaults. */
export function runbookJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(runbookSchema, { io: 'input' }), title: 'Resurgo runbook' };
}
