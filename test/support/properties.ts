/** fast-check, with a limit to how long a property is tried and, once it has failed, made smaller: no limit of a test ends what does not give way. */

import fc from 'fast-check';

const soak = process.env['CENOTE_SOAK'] === '1';
/** A bound against what does not end: of a property that takes so long, the smallest example so far is told. */
const limitMs = soak ? 3_000_000 : process.env['CI'] === 'true' ? 240_000 : 50_000;

// oxlint-disable-next-line typescript/no-deprecated -- the plugin that takes its place cannot be configured for all properties
fc.configureGlobal({ interruptAfterTimeLimit: limitMs, markInterruptAsFailure: true });

export { fc };
