/** Listings: their format, their differences, and finding in them. */
export * from './listing-format';
export * from './listing-diff';
export * from './listing-find';
export * from './listing-words';
