"""OpenTelemetry: spans and metrics of the gateway and of the load, by OTLP over HTTP. Imported only with `--otel`."""
