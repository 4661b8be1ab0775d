/** IEEE 754 half precision, as numbers of 16 bits: sign 1, exponent 5 (bias 15), fraction 10. */

const signMask = 0x8000;
const infinity = 0x7c00;
/** The smallest float32, as bits, that rounds to infinity: 65,520. */
const overflow = 0x477f_f000;
/** The smallest normal half, 2^-14, as bits of a float32. */
const normalMin = 0x3880_0000;
/** Exponents of float32 count from 127, those of halves from 15; in bits of a float32. */
const rebias: number = (127 - 15) << 23;
/** Bits of a float32's fraction that a half does not have. */
const droppedBits = 13;
/** Halves below the normal ones are multiples of 2^-24. */
const subnormalScale: number = 2 ** 24;

/** Rounds to the nearest half, ties to even; what is too large becomes infinite. */
export function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < values.length; index++) {
    const word = bits[index] as number;
    halves[index] = ((word >>> 16) & signMask) | magnitude(word & 0x7fff_ffff);
  }
  return halves;
}

/** The half next to a positive float32, given as bits. */
function magnitude(bits: number): number {
  if (bits >= overflow) return bits > 0x7f80_0000 ? infinity | 0x200 : infinity;
  if (bits >= normalMin) return roundShifted(bits - rebias);
  return nearestEven(floatOf(bits) * subnormalScale);
}

/** Drops the low bits of a fraction; a carry goes into the exponent, as it should. */
function roundShifted(bits: number): number {
  const kept = bits >>> droppedBits;
  const isOdd = kept & 1;
  return (bits + 0xfff + isOdd) >>> droppedBits;
}

const word: Uint32Array = new Uint32Array(1);
const float: Float32Array = new Float32Array(word.buffer);

function floatOf(bits: number): number {
  word[0] = bits;
  return float[0] as number;
}

function nearestEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
