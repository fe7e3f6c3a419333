// A scorer that writes `ml.*` with the plain OpenTelemetry API: one span and three measurements per call of the model.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// On the scopes only. On the resource it would clash with the schema URL of the SDK, and one of the two resources would be dropped.
const schemaURL = "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev"

var (
	tracer = otel.Tracer("fraud-scorer", trace.WithSchemaURL(schemaURL))
	meter  = otel.Meter("fraud-scorer", metric.WithSchemaURL(schemaURL))

	duration, _ = meter.Float64Histogram("ml.inference.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Time that a call of the model took."),
		metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	predictions, _ = meter.Int64Counter("ml.inference.predictions",
		metric.WithUnit("{prediction}"),
		metric.WithDescription("Number of samples that the model was asked about."))
	confidence, _ = meter.Float64Histogram("ml.prediction.confidence",
		metric.WithUnit("1"),
		metric.WithDescription("Probability of the predicted class."),
		metric.WithExplicitBucketBoundaries(.1, .2, .3, .4, .5, .6, .7, .8, .85, .9, .95, .975, .99))

	// What every call of this model has in common: on the span from its start, so that a sampler sees it, and on each measurement.
	identity = []attribute.KeyValue{
		attribute.String("ml.operation.name", "predict"),
		attribute.String("ml.model.name", "fraud-detector"),
		attribute.String("ml.model.version", "3"),
		attribute.String("ml.framework.name", "other"),
		attribute.String("ml.task.type", "binary_classification"),
	}
)

// Payment is one sample; its JSON form is what `ml.input.features` holds.
type Payment struct {
	Amount float64 `json:"amount"`
	Age    *int    `json:"age"` // nil is a missing value, and becomes null
}

var errAmount = errors.New("amount is not a number")

// Score returns the class of one payment and how probable it is.
func Score(ctx context.Context, payment Payment) (label string, probability float64, err error) {
	begin := time.Now()
	ctx, span := tracer.Start(ctx, "predict fraud-detector",
		trace.WithAttributes(identity...), trace.WithAttributes(attribute.Int("ml.batch.size", 1)))
	defer span.End()
	measured := identity
	defer func() {
		duration.Record(ctx, time.Since(begin).Seconds(), metric.WithAttributes(measured...))
		predictions.Add(ctx, 1, metric.WithAttributes(measured...))
	}()

	fraud, err := model(payment)
	if err != nil {
		// The class of the error, the same on span and metric; its message may quote data and stays here.
		kind := attribute.String("error.type", "amount_not_a_number")
		measured = append(append([]attribute.KeyValue{}, identity...), kind)
		span.SetAttributes(kind)
		span.SetStatus(codes.Error, "")
		return "", 0, err
	}
	label, probability = "fraud", fraud
	if fraud < .5 {
		label, probability = "ok", 1-fraud
	}
	confidence.Record(ctx, probability, metric.WithAttributes(identity...))
	if span.IsRecording() { // what is below costs more than the span
		span.SetAttributes(
			attribute.String("ml.prediction.label", label),
			attribute.Float64("ml.prediction.confidence", probability),
			attribute.Float64("ml.prediction.entropy", entropy(probability)),
			attribute.Float64("ml.prediction.margin", 2*probability-1),
			attribute.Int("ml.input.feature.count", 2),
		)
		// Personal data: only where the operator has asked for it. A string that holds a JSON object.
		if features, err := json.Marshal(payment); err == nil {
			span.SetAttributes(attribute.String("ml.input.features", string(features)))
		}
	}
	return label, probability, nil
}

// model stands for yours: larger payments are more probably fraud.
func model(payment Payment) (float64, error) {
	if math.IsNaN(payment.Amount) {
		return 0, errAmount
	}
	return 1 / (1 + math.Exp(1-payment.Amount/1000)), nil
}

// entropy is that of two classes, divided by its maximum: between 0 and 1.
func entropy(p float64) float64 {
	if p >= 1 {
		return 0
	}
	return -(p*math.Log2(p) + (1-p)*math.Log2(1-p))
}

func main() {
	ctx := context.Background()
	stop, err := start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	age := 42
	for _, payment := range []Payment{{4200, &age}, {19.9, nil}, {math.NaN(), nil}} {
		label, probability, err := Score(ctx, payment)
		fmt.Println(label, probability, err)
	}
	if err := stop(ctx); err != nil {
		log.Fatal(err)
	}
}

// start sends to OTEL_EXPORTER_OTLP_ENDPOINT, as service OTEL_SERVICE_NAME; the function it returns sends what is left.
func start(ctx context.Context) (func(context.Context) error, error) {
	service, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, err
	}
	spans, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, err
	}
	measurements, err := otlpmetricgrpc.New(ctx)
	if err != nil {
		return nil, err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(service))
	metrics := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(measurements)), sdkmetric.WithResource(service))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metrics)
	return func(ctx context.Context) error {
		return errors.Join(traces.Shutdown(ctx), metrics.Shutdown(ctx))
	}, nil
}
