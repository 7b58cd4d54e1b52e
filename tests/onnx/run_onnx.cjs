// Runs ONNX models by npm's onnxruntime-web, where node finds it (NODE_PATH). Standard input: [{path, shape, type, data}];
// standard output: [{shape, data}], or {error} for a model that it cannot run. Status 77 where there is no such package.
"use strict";

let ort;
try {
    ort = require("onnxruntime-web");
} catch (error) {
    process.exit(77);
}
ort.env.logLevel = "error";
ort.env.wasm.numThreads = 1;

const arrays = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };

async function run({ path, shape, type, data }) {
    try {
        const session = await ort.InferenceSession.create(path, { executionProviders: ["wasm"] });
        const numbers = type === "int64" ? data.map(BigInt) : data;
        const { output } = await session.run({ input: new ort.Tensor(type, arrays[type].from(numbers), shape) });
        return { shape: output.dims, data: Array.from(output.data) };
    } catch (error) {
        return { error: String(error) };
    }
}

async function main() {
    const results = [];
    for (const model of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
        results.push(await run(model));
    }
    process.stdout.write(JSON.stringify(results));
}

main();
