/** `npm run build`: compiles src into dist. */

import { build } from './setup.mjs';

if (!build()) process.exitCode = 1;
