// An inference service in JavaScript, as small as it can be: sends spans with OpenTelemetry's SDK and writes their ids, one per line.
//
//   node javascript_client.mjs '{"protocol": "grpc", "url": "http://127.0.0.1:4317", "compression": "gzip", "model": "m", "spans": 3}'
//
// With "ca" (and "cert" and "key") it speaks TLS; they are paths. NODE_MODULES says where the packages are.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const asked = JSON.parse(process.argv[2]);
const [ca, cert, key] = [asked.ca, asked.cert, asked.key].map((path) => path && readFileSync(path));

function exporter() {
  const { url, compression } = asked;
  if (asked.protocol === "grpc") {
    const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-grpc");
    const { credentials } = require("@grpc/grpc-js");
    const secured = ca ? credentials.createSsl(ca, key, cert) : credentials.createInsecure();
    return new OTLPTraceExporter({ url, compression, credentials: secured });
  }
  const name = asked.protocol === "json" ? "http" : "proto";
  const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${name}`);
  return new OTLPTraceExporter({ url: `${url}/v1/traces`, compression, httpAgentOptions: { ca, cert, key } });
}

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "shop" }),
  spanProcessors: [new SimpleSpanProcessor(exporter())],
});
const tracer = provider.getTracer("shop");
for (let number = 0; number < asked.spans; number += 1) {
  const span = tracer.startSpan(`predict ${asked.model}`, {
    attributes: {
      "ml.operation.name": "predict",
      "ml.model.name": asked.model,
      "ml.prediction.label": "ok",
      "ml.prediction.confidence": 0.9,
      "ml.batch.size": 1,
    },
  });
  console.log(span.spanContext().spanId);
  span.end();
}
await provider.forceFlush();
await provider.shutdown();
