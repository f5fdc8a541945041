import type { PluginDefinition } from "../plugin/define-plugin.ts";
import type { Role } from "../plugin/plugin-instance.ts";
import type { Registry } from "../plugin/registry.ts";
import type { Era } from "./compatibility.ts";
import type { LoadOptions } from "./load-options.ts";
import type { ConfigNote, PluginEntry, UsedMapping } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** A plugin that a file names; without definition when something is wrong with it. */
export interface DeclaredPlugin {
  readonly name: string;
  readonly node: SourceNode;
  readonly definition: PluginDefinition | undefined;
}

/** What the parts of one configuration are read with, and where they leave their remarks. */
export interface ReadContext {
  readonly options: LoadOptions;
  readonly era: Era;
  readonly notes: ConfigNote[];
  readonly mappings: UsedMapping[];
}

/** The plugins of one configuration while it is read. */
export class PluginSet {
  readonly context: ReadContext;
  readonly entries: PluginEntry[] = [];
  readonly #declared = new Map<string, DeclaredPlugin>();

  constructor(context: ReadContext) {
    this.context = context;
  }

  get registry(): Registry {
    return this.context.options.registry;
  }

  get notes(): ConfigNote[] {
    return this.context.notes;
  }

  /** The file's plugins in its order. */
  get all(): readonly DeclaredPlugin[] {
    return [...this.#declared.values()];
  }

  /** Names of the file's plugins in its order. */
  get names(): readonly string[] {
    return [...this.#declared.keys()];
  }

  /** Whether the kind of every plugin is known: then an absent role is really absent. */
  get isComplete(): boolean {
    return [...this.#declared.values()].every(({ definition }) => definition !== undefined);
  }

  /** Whether the file names such a plugin. */
  has(name: string): boolean {
    return this.#declared.has(name);
  }

  /** The plugin as the file declares it. */
  declared(name: string): DeclaredPlugin | undefined {
    return this.#declared.get(name);
  }

  /** The instance of that name, of the file or our own; undefined while it has a fault. */
  entry(name: string): PluginEntry | undefined {
    return this.entries.find((entry) => entry.name === name);
  }

  /** Whether an instance of the file or of our own has the name. */
  isTaken(name: string): boolean {
    return this.has(name) || this.entry(name) !== undefined;
  }

  declare(name: string, node: SourceNode, definition: PluginDefinition | undefined): void {
    this.#declared.set(name, { name, node, definition });
  }

  add(entry: PluginEntry): void {
    this.entries.push(entry);
  }

  /** Plugins of the file that have a role. */
  withRole(role: Role): readonly DeclaredPlugin[] {
    return [...this.#declared.values()].filter(({ definition }) =>
      definition?.roles.includes(role),
    );
  }

  hasRole(name: string, role: Role): boolean {
    return this.#declared.get(name)?.definition?.roles.includes(role) ?? false;
  }

  /** Adds a plugin that no file names, under its type; undefined when that cannot be. */
  addDefault(type: string, parameters?: unknown): PluginEntry | undefined {
    const definition = this.registry.find(type);
    if (definition === undefined || this.isTaken(type)) return undefined;
    const configured = definition.configure(parameters);
    const entry = {
      name: type,
      definition,
      configured,
      parameters: parameters ?? {},
      position: undefined,
    };
    this.add(entry);
    return entry;
  }
}
