import type { PluginDefinition } from "../plugin/define-plugin.ts";
import type { Role } from "../plugin/plugin-instance.ts";
import type { Registry } from "../plugin/registry.ts";
import { PREFIX_CACHE_PRODUCER } from "./compatibility.ts";
import type { ConfigNote, PluginEntry } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** A plugin that a file names; without definition when something is wrong with it. */
export interface DeclaredPlugin {
  readonly name: string;
  readonly node: SourceNode;
  readonly definition: PluginDefinition | undefined;
}

/** The plugins of one configuration while it is read. */
export class PluginSet {
  readonly registry: Registry;
  readonly notes: ConfigNote[];
  readonly entries: PluginEntry[] = [];
  readonly #declared = new Map<string, DeclaredPlugin>();

  constructor(registry: Registry, notes: ConfigNote[]) {
    this.registry = registry;
    this.notes = notes;
  }

  /** Names of the file's plugins in its order. */
  get names(): readonly string[] {
    return [...this.#declared.keys()];
  }

  /** Whether the kind of every plugin is known: then an absent role is really absent. */
  get isComplete(): boolean {
    return [...this.#declared.values()].every(({ definition }) => definition !== undefined);
  }

  /** Keeper of the prefix index, when there is one so far. */
  get producer(): PluginEntry | undefined {
    return this.entries.find(({ definition }) => definition.type === PREFIX_CACHE_PRODUCER);
  }

  /** Whether the file names such a plugin. */
  has(name: string): boolean {
    return this.#declared.has(name);
  }

  /** Whether an instance of the file or of our own has the name. */
  isTaken(name: string): boolean {
    return this.has(name) || this.entries.some((entry) => entry.name === name);
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
  addDefault(type: string): PluginEntry | undefined {
    const definition = this.registry.find(type);
    if (definition === undefined || this.isTaken(type)) return undefined;
    const configured = definition.configure(undefined);
    const entry = { name: type, definition, configured, parameters: {}, position: undefined };
    this.add(entry);
    return entry;
  }
}
