/** What the caller can do about an error, as every language calls it. */
export type ErrorKind =
  | 'invalid_input' | 'not_found' | 'already_exists' | 'conflict' | 'denied' | 'unavailable' | 'rate_limited' | 'unsupported'
  | 'cancelled' | 'bug';

/** Where something stands in a text, as people count it. */
export interface Place {
  file: string;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
}

/** A problem in the input: what, where, and a way out. */
export interface Diagnostic {
  /** The stable code, such as `template.reference`. */
  code: string;
  message: string;
  severity?: 'error' | 'warning';
  help?: string;
  /** The instance concerned. */
  address?: string;
  place?: Place;
  /** The problem with the lines that it is about, for a terminal. */
  rendered?: string;
}

export interface ErrorOptions {
  /** The stable name of what happened. */
  code?: string;
  /** Whether repeating the same helps, or after how many milliseconds. */
  retry?: boolean | number;
  /** Whether the world may have been changed. */
  effect?: 'none' | 'unknown';
  /** Facts, for people. */
  context?: Record<string, string>;
  diagnostics?: Diagnostic[];
  cause?: unknown;
}

/**
 * What the engine says, and what a verb may throw to say more than an ordinary error can: whether repeating helps, and whether
 * the call may have changed the world. Anything else that a verb throws counts as "may have changed it".
 */
export class StackwrightError extends Error {
  constructor(message?: string, options?: ErrorOptions);
  readonly kind: ErrorKind;
  code: string;
  retry: boolean | number;
  effect: 'none' | 'unknown';
  context: Record<string, string>;
  diagnostics: Diagnostic[];
  /** The messages of the causes on the engine's side, outermost first. */
  causes: string[];
}
/** Mend the input: a template, a variable, an argument. */
export class InvalidInputError extends StackwrightError {}
/** Name something that exists. */
export class NotFoundError extends StackwrightError {}
/** Choose another name, or adopt what is there. */
export class AlreadyExistsError extends StackwrightError {}
/** Somebody else was faster: look again, then repeat. */
export class ConflictError extends StackwrightError {}
/** Ask for permission, or fix the credentials. */
export class DeniedError extends StackwrightError {}
/** Try again later: a service, a disk or a network does not answer. */
export class UnavailableError extends StackwrightError {}
/** Try again more slowly. */
export class RateLimitedError extends StackwrightError {}
/** Use another way; this one is not offered. */
export class UnsupportedError extends StackwrightError {}
/** The caller asked to stop. */
export class CancelledError extends StackwrightError {}
/** Report it: the engine or a resource type broke its own contract. */
export class BugError extends StackwrightError {}
/** A run ended otherwise than well; `cause` is the first error that a verb of yours threw, unchanged. */
export class RunFailedError extends StackwrightError {
  readonly report: Report;
}
/** Thrown by `create` or `update` that stopped half-way: what is there now, and why it is not more. */
export class Partial extends Error {
  constructor(outputs: object, cause?: unknown);
  outputs: object;
}

/** A fraction that no `number` holds, as it is written. */
export class Digits {
  readonly text: string;
  toString(): string;
}
/** Returns the text of a decimal number as a value for templates and variables, with all of its digits. */
export function digits(text: string): Digits;

declare const marker: unique symbol;
/** Stands for a value that is not there to be seen. */
export interface Marker {
  readonly [marker]: true;
  toString(): string;
}
/** Stands where a value is sensitive. */
export const HIDDEN: Marker;
/** Stands where nobody knows a value yet. */
export const UNKNOWN: Marker;

// --- schemas ---

declare const types: unique symbol;

/** An attribute: a type with what is said of it. Immutable; every method returns another one. */
export interface Field<T, Missing extends boolean = false> {
  readonly [types]?: { value: T; missing: Missing };
  /** A template may leave it out; it is `null` then. */
  optional(): Field<T, true>;
  /** It may be null. */
  nullable(): Field<T | null, Missing>;
  /** What it is where a template leaves it out. */
  default(value: T): Field<T, false>;
  /** Changing it makes a new object necessary. */
  forceNew(): Field<T, Missing>;
  /** It is never shown, and sealed where it is stored. */
  sensitive(): Field<T, Missing>;
  /** The type decides where a template says nothing. */
  computed(): Field<T, true>;
  /** It reaches `create` and `update` and is not kept anywhere. */
  writeOnly(): Field<T, Missing>;
  /** Of a map of strings: the object bears its tags there, and the engine puts the locked ones among them. */
  takesTags(): Field<T, Missing>;
  /** What it is for. */
  describe(text: string): Field<T, Missing>;
  /** One of these values. */
  oneOf<const V extends readonly T[]>(...values: V): Field<V[number], Missing>;
  /** The least number, or the fewest characters or elements. */
  min(least: number): Field<T, Missing>;
  /** The largest number, or the most characters or elements. */
  max(most: number): Field<T, Missing>;
  /** A regular expression that matches it somewhere; without look-around and back references. */
  pattern(expression: RegExp | string): Field<T, Missing>;
}

type AnyField = Field<any, boolean>;
/** Attributes by name. */
export type Fields = Record<string, AnyField>;
type ValueOf<F> = F extends Field<infer T, infer M> ? (M extends true ? T | null : T) : never;
/** What attributes come to. */
export type Values<F extends Fields> = { [K in keyof F]: ValueOf<F[K]> };

/** Attributes of resource types. */
export const s: {
  string(): Field<string>;
  number(): Field<number>;
  /** A whole number of any size. */
  bigint(): Field<bigint>;
  /** A number of any size and precision, as its text. */
  decimal(): Field<string>;
  boolean(): Field<boolean>;
  any(): Field<unknown>;
  list<F extends AnyField>(element: F): Field<ValueOf<F>[]>;
  set<F extends AnyField>(element: F): Field<ValueOf<F>[]>;
  map<F extends AnyField>(element: F): Field<Record<string, ValueOf<F>>>;
  object<F extends Fields>(fields: F): Field<Values<F>>;
  enum<const V extends readonly (string | number)[]>(...values: V): Field<V[number]>;
};

/** What zod, valibot and others offer: https://standardschema.dev. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
type OutputOf<S> = S extends { readonly '~standard': { readonly types?: infer T } } ? (NonNullable<T> extends { readonly output: infer O } ? O : unknown) : unknown;
/** A schema of another library with its structure, where the library does not give that by itself. */
export interface WithJsonSchema<S extends StandardSchema = StandardSchema> {
  schema: S;
  jsonSchema: object;
}
/** Inputs or outputs: fields of `s`, or an object schema of another library. */
export type Shape = Fields | StandardSchema | WithJsonSchema;
/** What a shape comes to in a verb. */
export type Infer<S> =
  S extends StandardSchema ? OutputOf<S>
  : S extends WithJsonSchema<infer Inner> ? OutputOf<Inner>
  : S extends Fields ? Values<S>
  : Record<string, never>;

/** What is said of attributes beside their type. */
export type Mark = 'forceNew' | 'sensitive' | 'computed' | 'writeOnly' | 'takesTags';

// --- resource types ---

/** What surrounds a call of a verb. */
export interface Context {
  /** The same for every attempt to make the same object, across crashes too; empty for calls that make nothing. */
  readonly idempotencyKey: string;
  /** The address of the instance, such as `acme_bucket.main[0]`. */
  readonly address: string;
  readonly typeName: string;
  /** As `tenant/name`. */
  readonly stack: string;
  readonly tenant: string;
  /** Which attempt it is, from 1. */
  readonly attempt: number;
  /** When the call has to end; the signal is aborted then. */
  readonly deadline: Date | null;
  /** What the host wants on every object. */
  readonly tags: Readonly<Record<string, string>>;
  /** The configuration of the provider that owns the type. */
  readonly providerConfig: any;
  /** Whether the caller wants the call to end soon: complete, undo, or leave half done and say so. */
  readonly isCancelled: boolean;
  /** Aborted when the caller wants the call to end soon; for `fetch` and whatever else takes a signal. */
  readonly signal: AbortSignal;
  /** Makes the remote id durable as soon as it is known. When this resolves, the fact survives a crash. */
  checkpoint(id: string, attributes?: Record<string, unknown>): Promise<void>;
  /** Tells observers how far the call is. No secrets. */
  progress(message: string): void;
}

/** An object as the engine remembers it. */
export interface Existing<I, O> {
  id: string;
  /** As the template wanted it. */
  inputs: I;
  /** As the type returned it. */
  outputs: O;
}

type Awaitable<T> = T | Promise<T>;
type Both<I, O> = O | { inputs: I; outputs: O };

/** What `plan` may return: what is known already, and what makes a new object necessary. */
export class Planned {
  constructor(what?: { values?: Record<string, unknown>; replace?: Iterable<string> });
}
/** What `recover` returns when nobody can say what became of a call. No secrets. */
export class CannotTell {
  constructor(reason: string);
  readonly reason: string;
}
/** Thrown by `ready` when the object will never work; the message says why. */
export class NeverReady extends Error {}

/** A resource type; times are milliseconds. */
export interface ResourceDefinition<I extends Shape, O extends Shape> {
  /** The name that templates use, such as `acme_bucket`. */
  type: string;
  schema: {
    /** What a template sets. */
    inputs?: I;
    /** What the type decides. An attribute of both is an input that the type may change. */
    outputs?: O;
    /** Marks of inputs whose shape cannot say them. */
    marks?: Record<string, Mark | Mark[]>;
  };
  description?: string;
  /** The output (or input) that is the id of the remote system; `id` by default. */
  id?: string;
  /** The version of the schema; objects of older ones go through `upgrade`. */
  version?: number;
  /** Repeating `create` with the same key never makes a second object, whatever happened. */
  idempotentCreate?: boolean;
  /** How long a new object may stay invisible to reads. */
  settle?: number;
  /** How long `ready` is asked. */
  readyTimeout?: number;
  /** How often `ready` is asked. */
  readyInterval?: number;
  /** How long one call may take; it is cancelled then. */
  callTimeout?: number;
  /** A hint of how long making one takes, in any unit. */
  cost?: number;

  /** Makes the object; the same one for the same `ctx.idempotencyKey`. */
  create(ctx: Context, call: { want: Infer<I> }): Awaitable<Both<Infer<I>, Infer<O>>>;
  /** Reads the object; `null` where it is gone. */
  read(ctx: Context, call: { id: string; was: Existing<Infer<I>, Infer<O>> }): Awaitable<Both<Infer<I>, Infer<O>> | null>;
  /** Changes the object in place; `null` where the outputs stay. A type without it gets a new object for every change. */
  update?(ctx: Context, call: { id: string; want: Infer<I>; was: Existing<Infer<I>, Infer<O>> }): Awaitable<Both<Infer<I>, Infer<O>> | null | void>;
  /** Removes the object; what is gone already is deleted well. */
  delete(ctx: Context, call: { id: string; was: Existing<Infer<I>, Infer<O>> }): Awaitable<unknown>;
  /** Finds an object that the engine did not make. */
  import?(ctx: Context, call: { id: string }): Awaitable<{ inputs: Infer<I>; outputs: Infer<O> } | null>;
  /** Says whether the object really works: a boolean, or what is awaited. */
  ready?(ctx: Context, call: { id: string; was: Existing<Infer<I>, Infer<O>> }): Awaitable<boolean | string | Both<Infer<I>, Infer<O>>>;
  /** Adjusts what is planned. Values may be `UNKNOWN`. */
  plan?(ctx: Context, call: { want: Infer<I>; was: Existing<Infer<I>, Infer<O>> | null }): Awaitable<Planned | Record<string, unknown> | null | void>;
  /** Throws an `InvalidInputError` for inputs that the schema cannot refuse. Values may be `UNKNOWN`. */
  validate?(ctx: Context, call: { want: Infer<I> }): Awaitable<unknown>;
  /** Finds out what became of a call whose outcome was lost. */
  recover?(
    ctx: Context,
    call: { id: string | null; want: Infer<I> | null; was: Existing<Infer<I>, Infer<O>> | null; partial: Record<string, unknown> | null },
  ): Awaitable<Both<Infer<I>, Infer<O>> | CannotTell | null>;
  /** Brings attributes of an older version of the schema into today's shape. */
  upgrade?(ctx: Context, call: { version: number; attributes: Record<string, unknown> }): Awaitable<Record<string, unknown>>;
}

/** A resource type that an engine takes. */
export interface ResourceType {
  readonly kind: 'resource';
  readonly name: string;
}
/** A data source that an engine takes. */
export interface DataSourceType {
  readonly kind: 'data_source';
  readonly name: string;
}
/** A function of templates that an engine takes. */
export interface FunctionType {
  readonly descriptor: object;
}

/** Returns a resource type. Its verbs may be `async`; they run on the thread of JavaScript, the engine does not. */
export function defineResource<I extends Shape = Fields, O extends Shape = Fields>(definition: ResourceDefinition<I, O>): ResourceType;
/** Returns a data source: something that is looked up and never changed. */
export function defineDataSource<I extends Shape = Fields, O extends Shape = Fields>(definition: {
  type: string;
  schema: { inputs?: I; outputs?: O };
  description?: string;
  read(ctx: Context, call: { want: Infer<I> }): Awaitable<Infer<O>>;
}): DataSourceType;
/** Returns a pure, quick function of templates: `provider::acme::shout(…)` for the name `acme::shout`. Planning waits for it. */
export function defineFunction<P extends Fields, R extends AnyField>(definition: {
  name: string;
  description?: string;
  /** The parameters, in order. */
  parameters?: P;
  /** What any number of further arguments are. */
  rest?: AnyField;
  returns: R;
  compute(...values: any[]): ValueOf<R>;
}): FunctionType;

// --- templates ---

/** Something that is only known when the template is evaluated. Its properties and items are expressions too. */
export interface Expression {
  readonly [name: string]: Expression;
  readonly [index: number]: Expression;
}
export const Expression: { new (text: string): Expression };
/** Returns an expression from its text: `expression('upper(var.name)')`. */
export function expression(text: string): Expression;
/** Returns a text in which `${` and `%{` mean themselves. */
export function literal(text: string): string;

/** What is wanted. Strings of JavaScript data are templates themselves; `literal` keeps a string as it is. */
export class Template {
  /** The template of a folder with `.tf`, `.tf.json` or YAML files, or of a single file. */
  static fromPath(path: string | URL): Template;
  /** The template of a text; the name says how it is written (`main.tf`, `main.tf.json`, `main.yaml`). */
  static fromText(text: string, options?: { name?: string }): Template;
  /** The template of texts by name; those in folders are modules. */
  static fromFiles(files: Record<string, string>): Template;
  /** The template of data in the shape of Terraform's JSON. */
  static fromObject(data: object): Template;
  resource(type: string, name: string, properties?: object): Expression;
  data(type: string, name: string, properties?: object): Expression;
  module(name: string, properties: { source: string; [name: string]: unknown }): Expression;
  variable(name: string, properties?: object): Expression;
  local(name: string, value: unknown): Expression;
  output(name: string, value: unknown, properties?: object): void;
  provider(name: string, properties?: object): void;
  /** What was built, in the shape of Terraform's JSON. */
  toJSON(): object;
}
/** A template, the path of a folder or file, or data as for `Template.fromObject`. */
export type TemplateLike = Template | string | URL | object;

// --- engine ---

export interface EngineOptions {
  /** Where state lives: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`, `memory:` (the default), or a path. */
  store?: string | URL;
  resources?: Iterable<ResourceType>;
  dataSources?: Iterable<DataSourceType>;
  functions?: Iterable<FunctionType>;
  /** What seals secrets: the path of a key file, made where it is not there, or 64 hexadecimal digits. Beside a SQLite file by default. */
  key?: string | URL;
  /** What every object is to be tagged with, for types that can. */
  tags?: Record<string, string>;
  /** How long the right to write a stack lasts when this process dies, in milliseconds. */
  leaseTtl?: number;
  /** Who holds that right, for people who wait for it. */
  holder?: string;
  /** The edition of the language of templates that do not say it. */
  edition?: '1.11' | '1.12' | 'stackwright';
  /** A folder below which functions of templates may read files, beside the template's own. */
  filesWithin?: string | URL;
  /** Gets every event of every operation. */
  onEvent?: (event: Event) => unknown;
}

export interface PlanOptions {
  /** The variables of the template; `bigint` and `digits` keep numbers exact. */
  variables?: Record<string, unknown>;
  /** `destroy` deletes everything, `refresh_only` makes state match the world. */
  mode?: 'normal' | 'destroy' | 'refresh_only';
  /** Only these addresses and what they need. */
  targets?: string[];
  /** Addresses of instances to be made anew. */
  replace?: string[];
  /** Whether real objects are read first. */
  refresh?: boolean;
  /** Objects to be taken into state: address → the id that people use. */
  imports?: Record<string, string>;
  /** How many calls run at once. */
  parallelism?: number;
  /** Ends planning; nothing has to be undone. */
  signal?: AbortSignal;
}

export interface ApplyOptions {
  parallelism?: number;
  /** What becomes of the rest when a step fails. */
  onFailure?: 'stop' | 'continue' | 'rollback';
  /** Who starts it, for the history. */
  who?: string;
  /** Why, for the history. */
  why?: string;
  /** The ephemeral variables of a plan from `openPlan`, or of a run that is resumed. */
  variables?: Record<string, unknown>;
  /** Cancels the run: what runs is finished, nothing is started. */
  signal?: AbortSignal;
}

/** Plans and applies templates with the types that it is given. Works in worker threads; belongs to the one it is opened in. */
export class Engine implements AsyncDisposable {
  private constructor();
  static open(options?: EngineOptions): Promise<Engine>;
  /** The stack of a name, `tenant/name`, whether it exists yet or not; without a tenant, of `default`. */
  stack(name: string): Stack;
  /** The stacks that were ever applied, of one tenant or of all, by name. */
  stacks(tenant?: string): Promise<Stack[]>;
  /** Cancels the runs that are under way, waits until they are recorded, and ends the engine's threads. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One deployment of a template: a tenant, a name, and everything that is remembered of it. */
export class Stack {
  private constructor();
  readonly name: string;
  /** Everything that is wrong with a template, warnings too. Nothing is called, nothing is read. */
  validate(template: TemplateLike): Promise<Diagnostic[]>;
  /** Works out what is to be done. Real objects are read; nothing is changed. */
  plan(template: TemplateLike, options?: PlanOptions): Promise<Plan>;
  /** Plans and begins to carry the plan out at once. */
  apply(template: TemplateLike, options?: PlanOptions & ApplyOptions): Promise<Run>;
  /** Begins to delete everything that the stack owns. */
  destroy(template?: TemplateLike, options?: PlanOptions & ApplyOptions): Promise<Run>;
  /** The plan that `plan.toBytes()` wrote for this stack. */
  openPlan(sealed: Uint8Array): Promise<Plan>;
  /** Goes on with a run whose process died, or that paused. */
  resume(run: string | RunInfo, options?: ApplyOptions): Promise<Run>;
  /** What exists. */
  state(): Promise<State>;
  /** The root outputs as the last apply left them; `HIDDEN` where they are sensitive and not revealed. */
  outputs(options?: { reveal?: boolean }): Promise<Record<string, any>>;
  /** The runs, newest first. */
  runs(options?: { limit?: number }): Promise<RunInfo[]>;
  /** The run that was begun and not ended. */
  unfinishedRun(): Promise<RunInfo | null>;
  /** Gives a run up: it will not be resumed. */
  abandon(run: string | RunInfo): Promise<void>;
  /** Says what became of an object that nobody could tell about: gone, or to be replaced by the next plan. */
  settle(address: string, options: { exists: boolean }): Promise<void>;
  /** Gives an object another address. */
  move(from: string, to: string): Promise<void>;
  /** Stops managing what an address covers; the objects stay. Returns the addresses. */
  forgetObjects(target: string): Promise<string[]>;
  /** Removes what is remembered of a stack without objects. */
  forget(): Promise<void>;
  /** Takes the right to write the stack away from a process that is dead. */
  breakLease(): Promise<void>;
}

/** What is to be done about one instance. */
export interface Change {
  address: string;
  previousAddress: string | null;
  typeName: string;
  action: string;
  /** Why, the strongest reason first. */
  reasons: { type: string; [detail: string]: unknown }[];
  /** The paths that differ. */
  changed: string[];
  /** The paths that make a new object necessary. */
  replacePaths: string[];
  /** `HIDDEN` stands where it is sensitive. */
  before: any;
  /** `UNKNOWN` stands where nobody knows yet. */
  after: any;
  importing: string | null;
}
/** A root output. */
export interface Output {
  value: any;
  sensitive: boolean;
}
/** What runs: a replacement is one change and two steps. */
export interface Step {
  address: string;
  action: string;
  /** The steps that it waits for, by their places. */
  needs: number[];
}

/** What is to be done and why. `String(plan)` is a page for people. */
export class Plan {
  private constructor();
  readonly stackName: string;
  readonly mode: string;
  readonly isEmpty: boolean;
  readonly counts: Readonly<{ add: number; change: number; delete: number; import: number; forget: number; wait: number }>;
  readonly warnings: Diagnostic[];
  readonly changes: Change[];
  readonly outputs: Record<string, Output>;
  readonly steps: Step[];
  /** The plan in the shape of Terraform's plan JSON. Sensitive values are null there. */
  toJSON(): object;
  /** The plan as bytes that another process can open; secrets in it are sealed. */
  toBytes(): Uint8Array;
  toString(): string;
  /** Carries the plan out. Resolves once the run has begun. */
  apply(options?: ApplyOptions): Promise<Run>;
}

/** Something that happened. Holds no value of a resource, and so no secret. */
export interface Event {
  /** Counts from 0 in each operation; gaps are progress that was left out for a slow observer. */
  seq: number;
  at: Date;
  /** The name of its kind, such as `step_finished`. */
  type: string;
  address?: string;
  action?: string;
  outcome?: 'done' | 'failed' | 'skipped' | 'uncertain';
  code?: string | null;
  message?: string | null;
  [detail: string]: unknown;
}

export type RunStatus = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'stuck' | 'abandoned';

/** How a run ended. */
export class Report {
  private constructor();
  readonly run: string;
  readonly status: RunStatus;
  readonly succeeded: boolean;
  /** What went wrong; the `cause` of an error is what a verb of yours threw, unchanged. */
  readonly problems: { address: string; error: StackwrightError }[];
  readonly outputs: Record<string, any>;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A plan that is being carried out, on tasks of the engine's own: dropping this leaves it going. */
export class Run implements AsyncIterable<Event>, AsyncDisposable {
  private constructor();
  readonly id: string;
  readonly stackName: string;
  /** How it ended, once it did. */
  readonly report: Report | undefined;
  /** Asks the run to start nothing new, and to finish what runs. */
  cancel(): void;
  /** Asks the run not to wait for what runs either; what became of it is found out when the run is resumed. */
  cancelNow(): void;
  /** Waits for the end, however it is. */
  wait(): Promise<Report>;
  /** Waits for the end. Rejects with a `RunFailedError` where the run did not succeed. */
  result(): Promise<Report>;
  /** The events as server-sent events, with a last one called `report`: the body of a `Response`. */
  serverSentEvents(): ReadableStream<Uint8Array>;
  [Symbol.asyncIterator](): AsyncIterator<Event>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One object that exists, as state remembers it. */
export interface Row {
  address: string;
  typeName: string;
  /** The identity of the object, and the idempotency key that it was made with. */
  objectId: string;
  /** The id that the remote system uses. */
  id: string | null;
  status: 'current' | 'deposed' | 'tainted' | 'uncertain';
  ready: boolean;
  /** `HIDDEN` stands where they are sensitive. */
  attributes: any;
  dependencies: string[];
}
export interface State {
  /** Counts what changed it. */
  serial: number;
  rows: Row[];
  outputs: Record<string, Output>;
}
export interface RunInfo {
  id: string;
  status: RunStatus;
  started: Date;
  finished: Date | null;
  who: string;
  why: string;
}
