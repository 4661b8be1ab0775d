/** One suite over every sort of region. */

import { conforms } from './conformance.ts';
import { subjects } from './support/subjects.ts';

for (const subject of subjects) conforms(subject);
