package example;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.List;

/** A scorer that writes {@code ml.*} with the plain OpenTelemetry API: one span and three measurements per call of the model. */
public final class Scoring {
  // On the scopes only. On the resource it would clash with the schema URL of the SDK, and one of the two would be dropped.
  private static final String SCHEMA_URL = "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev";

  private static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");

  // What every call of this model has in common: on the span from its start, so that a sampler sees it, and on each measurement.
  private static final Attributes IDENTITY =
      Attributes.builder()
          .put("ml.operation.name", "predict")
          .put("ml.model.name", "fraud-detector")
          .put("ml.model.version", "3")
          .put("ml.framework.name", "other")
          .put("ml.task.type", "binary_classification")
          .build();

  private final Tracer tracer;
  private final DoubleHistogram duration;
  private final LongCounter predictions;
  private final DoubleHistogram confidence;

  Scoring(OpenTelemetry telemetry) {
    tracer = telemetry.tracerBuilder("fraud-scorer").setSchemaUrl(SCHEMA_URL).build();
    Meter meter = telemetry.meterBuilder("fraud-scorer").setSchemaUrl(SCHEMA_URL).build();
    duration =
        meter
            .histogramBuilder("ml.inference.duration")
            .setUnit("s")
            .setDescription("Time that a call of the model took.")
            .setExplicitBucketBoundariesAdvice(
                List.of(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1., 2.5, 5., 10.))
            .build();
    predictions =
        meter
            .counterBuilder("ml.inference.predictions")
            .setUnit("{prediction}")
            .setDescription("Number of samples that the model was asked about.")
            .build();
    confidence =
        meter
            .histogramBuilder("ml.prediction.confidence")
            .setUnit("1")
            .setDescription("Probability of the predicted class.")
            .setExplicitBucketBoundariesAdvice(
                List.of(.1, .2, .3, .4, .5, .6, .7, .8, .85, .9, .95, .975, .99))
            .build();
  }

  /** One sample; a null age is a missing value. */
  record Payment(double amount, Integer age) {
    /** What {@code ml.input.features} holds: a string with a JSON object. Use your JSON library where names or texts come from users. */
    String toJson() {
      return "{\"amount\":" + amount + ",\"age\":" + age + "}";
    }
  }

  record Answer(String label, double probability) {}

  /** Returns the class of one payment and how probable it is. */
  Answer score(Payment payment) {
    long begin = System.nanoTime();
    Attributes measured = IDENTITY;
    Span span =
        tracer
            .spanBuilder("predict fraud-detector")
            .setAllAttributes(IDENTITY)
            .setAttribute("ml.batch.size", 1)
            .startSpan();
    try (Scope ignored = span.makeCurrent()) {
      double fraud = model(payment);
      Answer answer = fraud < .5 ? new Answer("ok", 1 - fraud) : new Answer("fraud", fraud);
      confidence.record(answer.probability(), IDENTITY);
      if (span.isRecording()) { // what is below costs more than the span
        span.setAttribute("ml.prediction.label", answer.label());
        span.setAttribute("ml.prediction.confidence", answer.probability());
        span.setAttribute("ml.prediction.entropy", entropy(answer.probability()));
        span.setAttribute("ml.prediction.margin", 2 * answer.probability() - 1);
        span.setAttribute("ml.input.feature.count", 2);
        // Personal data: only where the operator has asked for it.
        span.setAttribute("ml.input.features", payment.toJson());
      }
      return answer;
    } catch (RuntimeException error) {
      // The class of the error, the same on span and metric; its message may quote data and stays here.
      measured = IDENTITY.toBuilder().put(ERROR_TYPE, error.getClass().getName()).build();
      span.setAttribute(ERROR_TYPE, error.getClass().getName());
      span.setStatus(StatusCode.ERROR);
      throw error;
    } finally {
      duration.record((System.nanoTime() - begin) / 1e9, measured);
      predictions.add(1, measured);
      span.end();
    }
  }

  /** Stands for yours: larger payments are more probably fraud. */
  private static double model(Payment payment) {
    if (Double.isNaN(payment.amount())) {
      throw new IllegalArgumentException("amount is not a number");
    }
    return 1 / (1 + Math.exp(1 - payment.amount() / 1000));
  }

  /** Entropy of two classes, divided by its maximum: between 0 and 1. */
  private static double entropy(double p) {
    return p >= 1 ? 0 : -(p * Math.log(p) + (1 - p) * Math.log(1 - p)) / Math.log(2);
  }

  /** Sends to OTEL_EXPORTER_OTLP_ENDPOINT, as service OTEL_SERVICE_NAME. */
  public static void main(String[] arguments) {
    OpenTelemetrySdk telemetry = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    Scoring scoring = new Scoring(telemetry);
    for (Payment payment : List.of(new Payment(4200, 42), new Payment(19.9, null), new Payment(Double.NaN, null))) {
      try {
        System.out.println(scoring.score(payment));
      } catch (IllegalArgumentException error) {
        System.out.println(error);
      }
    }
    telemetry.close();
  }
}
