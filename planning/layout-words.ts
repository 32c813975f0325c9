/** What all parts of a layout are written in. Not for workflow code (zod). */
import { z } from 'zod';

export const bytes = z.number().int().nonnegative();
export const word = z.string().max(4096);
/** The id of a block device within this layout. */
export const deviceId = z.string().regex(/^(?:disk|part|md|luks|lv|zvol|loop|mpath):[^\x00-\x1f\x7f]{1,255}$/);
