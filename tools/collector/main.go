// Command otelcol is the OpenTelemetry Collector that otel-ml is tested and shown with.
//
// It holds the parts that collector-config/ and the demo use and no others. builder-config.yaml lists
// the same parts for the OpenTelemetry Collector Builder; a test compares the two lists.
package main

import (
	"os"
	"runtime/debug"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/countconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/failoverconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/routingconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/loadbalancingexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/attributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/groupbyattrsprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourcedetectionprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/forwardconnector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/zpagesextension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const (
	core    = "go.opentelemetry.io/collector/"
	contrib = "github.com/open-telemetry/opentelemetry-collector-contrib/"
)

func main() {
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{
			Command:     "otelcol",
			Description: "OpenTelemetry Collector with the parts otel-ml is tested with",
			Version:     strings.TrimPrefix(versionOf(core+"receiver/otlpreceiver"), "v"),
		},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{
				envprovider.NewFactory(), fileprovider.NewFactory(), yamlprovider.NewFactory(),
			},
			DefaultScheme: "env", // ${NAME} means ${env:NAME}, as in every released collector
		}},
		ProviderModules: map[string]string{
			"env":  withVersion(core + "confmap/provider/envprovider"),
			"file": withVersion(core + "confmap/provider/fileprovider"),
			"yaml": withVersion(core + "confmap/provider/yamlprovider"),
		},
	})
	if command.Execute() != nil { // the command has printed the error already
		os.Exit(1)
	}
}

// factories gives every part that a configuration may name.
func factories() (all otelcol.Factories, err error) {
	all.Telemetry = otelconftelemetry.NewFactory()
	all.Receivers, all.ReceiverModules = byType(&err, parts[receiver.Factory]{
		core + "receiver/otlpreceiver": otlpreceiver.NewFactory(),
	})
	all.Processors, all.ProcessorModules = byType(&err, parts[processor.Factory]{
		core + "processor/batchprocessor":                   batchprocessor.NewFactory(),
		core + "processor/memorylimiterprocessor":           memorylimiterprocessor.NewFactory(),
		contrib + "processor/attributesprocessor":           attributesprocessor.NewFactory(),
		contrib + "processor/groupbyattrsprocessor":         groupbyattrsprocessor.NewFactory(),
		contrib + "processor/k8sattributesprocessor":        k8sattributesprocessor.NewFactory(),
		contrib + "processor/probabilisticsamplerprocessor": probabilisticsamplerprocessor.NewFactory(),
		contrib + "processor/resourcedetectionprocessor":    resourcedetectionprocessor.NewFactory(),
		contrib + "processor/resourceprocessor":             resourceprocessor.NewFactory(),
		contrib + "processor/filterprocessor":               filterprocessor.NewFactory(),
		contrib + "processor/redactionprocessor":            redactionprocessor.NewFactory(),
		contrib + "processor/tailsamplingprocessor":         tailsamplingprocessor.NewFactory(),
		contrib + "processor/transformprocessor":            transformprocessor.NewFactory(),
	})
	all.Exporters, all.ExporterModules = byType(&err, parts[exporter.Factory]{
		core + "exporter/debugexporter":                    debugexporter.NewFactory(),
		core + "exporter/nopexporter":                      nopexporter.NewFactory(),
		core + "exporter/otlpexporter":                     otlpexporter.NewFactory(),
		core + "exporter/otlphttpexporter":                 otlphttpexporter.NewFactory(),
		contrib + "exporter/fileexporter":                  fileexporter.NewFactory(),
		contrib + "exporter/kafkaexporter":                 kafkaexporter.NewFactory(),
		contrib + "exporter/loadbalancingexporter":         loadbalancingexporter.NewFactory(),
		contrib + "exporter/prometheusexporter":            prometheusexporter.NewFactory(),
		contrib + "exporter/prometheusremotewriteexporter": prometheusremotewriteexporter.NewFactory(),
	})
	all.Connectors, all.ConnectorModules = byType(&err, parts[connector.Factory]{
		core + "connector/forwardconnector":        forwardconnector.NewFactory(),
		contrib + "connector/countconnector":       countconnector.NewFactory(),
		contrib + "connector/failoverconnector":    failoverconnector.NewFactory(),
		contrib + "connector/routingconnector":     routingconnector.NewFactory(),
		contrib + "connector/spanmetricsconnector": spanmetricsconnector.NewFactory(),
	})
	all.Extensions, all.ExtensionModules = byType(&err, parts[extension.Factory]{
		core + "extension/zpagesextension":             zpagesextension.NewFactory(),
		contrib + "extension/bearertokenauthextension": bearertokenauthextension.NewFactory(),
		contrib + "extension/healthcheckextension":     healthcheckextension.NewFactory(),
		contrib + "extension/storage/filestorage":      filestorage.NewFactory(),
	})
	return all, err
}

// parts are the factories of one kind under the Go module each comes from.
type parts[F component.Factory] map[string]F

// byType gives the factories, and their modules for `otelcol components`, under the names that a
// configuration uses: a part's type and, where it has one, its former name. The first failure is kept.
func byType[F component.Factory](
	first *error, of parts[F],
) (map[component.Type]F, map[component.Type]string) {
	list, modules := make([]F, 0, len(of)), make(map[component.Type]string, len(of))
	for module, factory := range of {
		list = append(list, factory)
		modules[factory.Type()] = withVersion(module)
		if renamed, ok := any(factory).(interface{ DeprecatedAlias() component.Type }); ok {
			if alias := renamed.DeprecatedAlias(); alias.String() != "" {
				modules[alias] = withVersion(module)
			}
		}
	}
	factories, err := otelcol.MakeFactoryMap(list...)
	if *first == nil {
		*first = err
	}
	return factories, modules
}

func withVersion(module string) string { return module + " " + versionOf(module) }

// versionOf reads a module's version from the running binary, so that go.mod alone says it.
func versionOf(module string) string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range built.Deps {
			if dependency.Path == module {
				return dependency.Version
			}
		}
	}
	return "unknown"
}
