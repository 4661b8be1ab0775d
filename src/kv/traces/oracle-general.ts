/**
 * The binary format of libCacheSim. A record is a request of one block:
 *
 * ```
 * byte 0         4                    12          16                       24   little endian
 *      ┌─────────┬────────────────────┬───────────┬────────────────────────┐
 *      │ time, s │ id of the block    │ size      │ next time it is wanted │    the last is not used here
 *      └─────────┴────────────────────┴───────────┴────────────────────────┘
 * ```
 */

import { fail } from '../../errors.ts';
import type { TraceReader } from './lines.ts';
import type { BlockId, TraceBuilder } from './trace.ts';

const recordBytes = 24;

export function oracleGeneralReader(builder: TraceBuilder): TraceReader {
  let rest: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      for (; at + recordBytes <= bytes.length; at += recordBytes) {
        builder.begin(bytes.readUInt32LE(at) * 1000);
        builder.add(idAt(bytes, at + 4), bytes.readUInt32LE(at + 12));
      }
      rest = Buffer.from(bytes.subarray(at));
    },
    end() {
      if (rest.length > 0)
        fail('trace_malformed', `it ends within a record of ${recordBytes} bytes`);
    },
  };
}

/** As a number where that is exact: a Map finds it quicker. */
function idAt(bytes: Buffer, at: number): BlockId {
  const high = bytes.readUInt32LE(at + 4);
  return high < 2 ** 21 ? high * 2 ** 32 + bytes.readUInt32LE(at) : bytes.readBigUInt64LE(at);
}
