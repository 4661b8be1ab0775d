/** Names of subjects that others are compared with. */

export const oursName = 'cenote';

/** The peer that ratios are taken to. */
export const baseName = 'mimalloc';
