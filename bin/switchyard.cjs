#!/usr/bin/env node
"use strict";
// Old syntax on purpose: this file must parse on the Node that the machine happens to have.
// It finds a Node that runs the TypeScript sources as they are and hands over to it.
var childProcess = require("child_process");
var fs = require("fs");
var path = require("path");

var MAJOR_MIN = 24;
var root = path.join(__dirname, "..");
var main = path.join(root, "src", "cli", "main.ts");

function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= MAJOR_MIN) return process.execPath;
  var platformPackage = "node-" + process.platform + "-" + process.arch;
  var bundled;
  try {
    bundled = require.resolve(platformPackage + "/package.json", { paths: [root] });
    bundled = path.join(path.dirname(bundled), "bin", "node");
    if (fs.existsSync(bundled)) return bundled;
  } catch (_error) {
    // Not installed for this platform: the message below says what to do.
  }
  return undefined;
}

var node = findNode();
if (node === undefined) {
  console.error(
    "switchyard: needs Node " +
      MAJOR_MIN +
      " or newer, this is " +
      process.version +
      ". On linux x64 and arm64 `npm ci` brings one; elsewhere install it and put it first on PATH.",
  );
  process.exit(2);
}

var child = childProcess.spawn(node, [main].concat(process.argv.slice(2)), { stdio: "inherit" });
// A terminal's Ctrl-C may reach the child twice (its process group and this relay); the child counts that as one.
["SIGINT", "SIGTERM"].forEach((signal) => {
  process.on(signal, () => {
    child.kill(signal);
  });
});
child.on("error", (error) => {
  console.error("switchyard: " + error.message);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal) process.kill(process.pid, signal);
  else process.exit(code === null ? 1 : code);
});
