'use strict';

// JSON whose numbers lose nothing: what a `number` of JavaScript cannot hold is a `bigint`, or a `Digits` for a fraction.

/** A fraction that no `number` holds, as it is written. */
class Digits {
  constructor(text) {
    this.text = text;
    Object.freeze(this);
  }

  toString() {
    return this.text;
  }
}

// Fifteen digits always fit; a text without a longer row of them, and without an exponent, is read by the runtime.
const SUSPICIOUS = /[0-9.]{16}|[0-9][eE][+-]?[0-9]/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/gs;
const MARK = '\u0000n:';

/** Returns a number's text in one spelling: digits and the power of ten of the last one. */
function canonical(text) {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  let digits = (whole + fraction).replace(/^0+(?=[0-9])/, '');
  let power = Number(exponent) - fraction.length;
  const trimmed = digits.replace(/0+$/, '');
  power += digits.length - trimmed.length;
  digits = trimmed;
  return digits === '' ? '0' : `${sign}${digits}e${power}`;
}

function exact(text) {
  const number = Number(text);
  if (Number.isFinite(number) && canonical(String(number)) === canonical(text) && (Number.isSafeInteger(number) || !/^-?[0-9]+$/.test(text))) {
    return number;
  }
  const spelled = canonical(text);
  const [, digits, power] = /^(-?[0-9]+)(?:e(-?[0-9]+))?$/.exec(spelled);
  if (power === undefined) return 0;
  return Number(power) >= 0 && Number(power) < 4096 ? BigInt(digits) * 10n ** BigInt(power) : new Digits(text);
}

/** Reads JSON text. */
function parse(text) {
  if (!SUSPICIOUS.test(text)) return JSON.parse(text);
  let found = false;
  const marked = text.replace(TOKEN, (token) => {
    if (token[0] === '"') return token;
    if (token.length < 16 && !/[eE]/.test(token)) return token;
    found = true;
    return JSON.stringify(MARK + token);
  });
  if (!found) return JSON.parse(text);
  return JSON.parse(marked, (_, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? exact(value.slice(MARK.length)) : value,
  );
}

/** Writes a value as JSON text; `undefined` is left out of objects and is null elsewhere. */
function stringify(value) {
  if (value === null || value === undefined) return 'null';
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no form in a template`);
      return JSON.stringify(value);
    case 'object':
      break;
    default:
      throw new TypeError(`a ${typeof value} has no form in a template`);
  }
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `[${value.map(stringify).join(',')}]`;
  if (value instanceof Set) return `[${[...value].map(stringify).join(',')}]`;
  if (value instanceof Map) return stringify(Object.fromEntries(value));
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (typeof value.toJSON === 'function') return stringify(value.toJSON());
  const parts = [];
  for (const [key, part] of Object.entries(value)) {
    if (part !== undefined) parts.push(`${JSON.stringify(key)}:${stringify(part)}`);
  }
  return `{${parts.join(',')}}`;
}

/** Returns the text of a decimal number as something that `stringify` writes as it is. */
function digits(text) {
  if (!/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text)) throw new TypeError(`\`${text}\` is no number`);
  return new Digits(text);
}

module.exports = { Digits, digits, parse, stringify };
