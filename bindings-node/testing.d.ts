import type { ResourceType } from './index';

/** A case of the conformance suite, and what became of it. */
export interface Finding {
  /** Such as `crash/same-key`. */
  case: string;
  verdict: 'passed' | 'skipped' | 'failed';
  /** Why it was skipped, or what the type did wrong. */
  message?: string;
}

export interface Examples {
  /** What a template says of one thing. In texts `{n}` stands for a number: other numbers, other things. */
  config: Record<string, unknown>;
  /** The same after a change that is made in place, for types that have `update`. */
  changed?: Record<string, unknown>;
  /** An id that nothing has, written as one, for types that have `import`. */
  missingId?: string;
  /** Nothing in the world says whether a thing exists, as with random values. */
  isValue?: boolean;
  /** An input that makes verbs misbehave as it says (`raise create`, `hang read`, …), for tests of the bridge. */
  fault?: string;
  /** How long a call may take. Milliseconds. */
  patience?: number;
}

/**
 * Holds a resource type against the contract that the engine relies on, and returns what became of each case. Things are made,
 * read, changed, imported and removed, one and many at once; answers are lost on purpose, and keys used twice. What was made is
 * removed again: check that your world is empty afterwards.
 *
 * @throws AssertionError with all that the type did wrong.
 */
export function conform(resource: ResourceType, examples: Examples): Promise<Finding[]>;
