'use strict';

const { inspect } = require('node:util');

class Marker {
  #words;

  constructor(words) {
    this.#words = words;
    Object.freeze(this);
  }

  toString() {
    return this.#words;
  }

  toJSON() {
    return null;
  }

  [inspect.custom]() {
    return this.#words;
  }
}

/** Stands where a value is sensitive. */
const HIDDEN = new Marker('(sensitive value)');
/** Stands where nobody knows a value yet. */
const UNKNOWN = new Marker('(known after apply)');

/** Returns a value of the engine's, with `UNKNOWN` and `HIDDEN` where it is so. */
function shown({ value, unknown = [], hidden = [] }) {
  let result = value;
  for (const [marker, paths] of [[UNKNOWN, unknown], [HIDDEN, hidden]]) {
    for (const path of paths) result = put(result, path.map((step) => Object.values(step)[0]), marker);
  }
  return result;
}

function put(value, [step, ...rest], marker) {
  if (step === undefined) return marker;
  if (Array.isArray(value)) return value.map((item, idx) => (idx === Number(step) ? put(item, rest, marker) : item));
  if (value !== null && typeof value === 'object') return { ...value, [step]: put(value[step], rest, marker) };
  return marker;
}

module.exports = { HIDDEN, UNKNOWN, shown };
