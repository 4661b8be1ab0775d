const shownMax = 40;

/** Any value as a short text for a message. Never throws, whatever the value. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, shownMax));
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}
