/** The task queues: who polls them and what waits in them. */

/** Short steps; they must never wait behind a copy. */
export const CONTROL_QUEUE = 'resurgo-control';
/** Steps that follow hours of input and output. */
export const BULK_QUEUE = 'resurgo-bulk';
