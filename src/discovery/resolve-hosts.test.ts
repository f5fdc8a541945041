import assert from "node:assert/strict";
import test from "node:test";
import { endpointId } from "../core/brand.ts";
import { HostResolver, hasHostNames, socketAddress } from "./resolve-hosts.ts";

const at = (address: string) => ({ id: endpointId(address), address, labels: {} });

function resolverOf(names: Record<string, readonly string[]>): HostResolver {
  return new HostResolver(async (host) => {
    const found = names[host];
    if (found === undefined) throw new Error(`no such host: ${host}`);
    return found;
  });
}

const addressesOf = async (resolver: HostResolver, ...addresses: readonly string[]) => {
  const { endpoints, unresolved } = await resolver.resolve(addresses.map(at));
  return { addresses: endpoints.map(({ address }) => address), unresolved };
};

test("resolve-hosts: names become addresses, addresses stay", async () => {
  const resolver = resolverOf({ gpu: ["10.0.0.1", "10.0.0.2"], six: ["fd00::1"] });
  assert.deepEqual(
    await addressesOf(resolver, "gpu:8000", "six:8000", "10.1.1.1:1", "[fd00::2]:8000"),
    {
      addresses: ["10.0.0.1:8000", "[fd00::1]:8000", "10.1.1.1:1", "[fd00::2]:8000"],
      unresolved: [],
    },
  );
});

test("resolve-hosts: the address in use stays while the host has it", async () => {
  const names: Record<string, readonly string[]> = { gpu: ["10.0.0.1", "10.0.0.2"] };
  const resolver = resolverOf(names);
  await addressesOf(resolver, "gpu:1");
  names["gpu"] = ["10.0.0.2", "10.0.0.1"];
  assert.deepEqual((await addressesOf(resolver, "gpu:1")).addresses, ["10.0.0.1:1"]);
  names["gpu"] = ["10.0.0.3"];
  assert.deepEqual((await addressesOf(resolver, "gpu:1")).addresses, ["10.0.0.3:1"]);
});

test("resolve-hosts: a host that never resolved is left out, one that did keeps its address", async () => {
  const names: Record<string, readonly string[]> = { gpu: ["10.0.0.1"] };
  const resolver = resolverOf(names);
  await addressesOf(resolver, "gpu:1");
  delete names["gpu"];
  assert.deepEqual(await addressesOf(resolver, "gpu:1", "nowhere:1"), {
    addresses: ["10.0.0.1:1"],
    unresolved: ["gpu", "nowhere"],
  });
});

test("resolve-hosts: what is a name and what an address", () => {
  assert.ok(hasHostNames([at("10.0.0.1:1"), at("gpu:1")]));
  assert.ok(!hasHostNames([at("10.0.0.1:1"), at("[::1]:1")]));
  assert.equal(socketAddress("::1", 80), "[::1]:80");
  assert.equal(socketAddress("10.0.0.1", "80"), "10.0.0.1:80");
});
