#!/usr/bin/env bash
# Builds the real servers that the tests and the demo run: see README.md beside this file.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/build.sh [--if-go] [--only NAME...] [--help]

Builds what is missing or out of date into .tools/bin, and nothing else.

  --if-go          without Go, say what is left out and succeed (otherwise exit code 2)
  --only NAME...   build these alone: otelcol jaeger prometheus promtool alertmanager amtool
                   telemetrygen
  --help           print this

Exit code: 0 all built or current, 1 a build failed, 2 wrong arguments or no Go.
TEXT
}

all_tools=(otelcol jaeger prometheus promtool alertmanager amtool telemetrygen)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
bin=$root/.tools/bin
stamps=$root/.tools/stamps
logs=$root/.tools/logs

# The folder with the main module, the package to build there, what it is, and how long the first build
# takes on two cores (downloads included). promtool shares nearly all of its packages with prometheus.
describe() {
  case $1 in
    otelcol) folder=collector package=. about='5 minutes'
      what='OpenTelemetry Collector with the parts otel-ml uses' ;;
    jaeger) folder=jaeger package=github.com/jaegertracing/jaeger/cmd/jaeger about='5 minutes'
      what='Jaeger, where traces are stored and searched' ;;
    prometheus) folder=prometheus package=github.com/prometheus/prometheus/cmd/prometheus about='6 minutes'
      what='Prometheus, where metrics are stored and alerted on' ;;
    promtool) folder=prometheus package=github.com/prometheus/prometheus/cmd/promtool about='half a minute'
      what='promtool, which checks and tests Prometheus rules' ;;
    alertmanager) folder=alertmanager package=github.com/prometheus/alertmanager/cmd/alertmanager about='a minute'
      what='Alertmanager, which groups alerts and tells people' ;;
    amtool) folder=alertmanager package=github.com/prometheus/alertmanager/cmd/amtool about='half a minute'
      what='amtool, which checks its configuration' ;;
    telemetrygen) folder=telemetrygen about='a minute'
      package=github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
      what='telemetrygen, which sends OTLP load' ;;
    *) return 1 ;;
  esac
}

fail() {
  echo "tools/build.sh: $1" >&2
  exit 2
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

# What a binary is built from. The machine is asked, not Go: a checkout that has its binaries stays a
# no-op where Go is missing.
fingerprint() {
  local sources=("$here/$folder"/go.mod "$here/$folder"/go.sum) source
  for source in "$here/$folder"/*.go; do
    if [[ -f $source ]]; then sources+=("$source"); fi
  done
  { echo "$package $(uname -s) $(uname -m)"; cat "${sources[@]}"; } | sha256 | cut -d ' ' -f 1
}

is_current() {
  [[ -x $bin/$1 && -f $stamps/$1 && $(<"$stamps/$1") == "$(fingerprint)" ]]
}

# The committed sums are the only ones trusted, and the result is for this machine, whatever the
# caller's environment says. A finished binary appears at once or not at all.
build() {
  local name=$1 stamp
  stamp=$(fingerprint)
  unfinished=$bin/.$name.$$
  mkdir -p "$bin" "$stamps" "$logs"
  (cd "$here/$folder" &&
    env -u GOOS -u GOARCH GOWORK=off CGO_ENABLED=0 \
      go build -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o "$unfinished" "$package") \
    >"$logs/$name.log" 2>&1 || return 1
  mv -f "$unfinished" "$bin/$name"
  echo "$stamp" >"$stamps/$name"
}

if_go=false
wanted=()
while (($#)); do
  case $1 in
    --if-go) if_go=true; shift ;;
    --only)
      shift
      if (($# == 0)) || [[ $1 == -* ]]; then
        fail "--only: expected at least one name; known: ${all_tools[*]}"
      fi
      while (($#)) && [[ $1 != -* ]]; do
        describe "$1" || fail "--only: unknown tool '$1'; known: ${all_tools[*]}"
        wanted+=("$1")
        shift
      done ;;
    --help | -h) usage; exit 0 ;;
    *) fail "unknown argument '$1'; try --help" ;;
  esac
done
((${#wanted[@]})) || wanted=("${all_tools[@]}")

missing=()
for name in "${wanted[@]}"; do
  describe "$name"
  is_current "$name" || missing+=("$name")
done
if ((${#missing[@]} == 0)); then
  echo "tools: ${wanted[*]}: built and current in .tools/bin"
  exit 0
fi

if ! command -v go >/dev/null; then
  cat >&2 <<TEXT
tools: Go is not on the PATH, so these cannot be built: ${missing[*]}
  What they give: the real servers around otel-ml, in the demo and in the integration tests. Both work
  without; the parts that need them are skipped and say so.
  How to get them: install Go 1.26 or later (package "golang" or "go" of your system, or go.dev), see
  that "go version" works, and run "make tools" again.
TEXT
  if $if_go; then exit 0; else exit 2; fi
fi

unfinished=
trap '[[ -z $unfinished ]] || rm -f "$unfinished"' EXIT
failed=()
for name in "${missing[@]}"; do
  describe "$name"
  echo "tools: building $name ($what); about $about the first time"
  SECONDS=0
  if build "$name"; then
    echo "tools: built .tools/bin/$name in $SECONDS s"
  else
    failed+=("$name")
    echo "tools: $name failed after $SECONDS s; the end of .tools/logs/$name.log:" >&2
    grep -v '^go: downloading ' "$logs/$name.log" | tail -n 20 | sed 's/^/  /' >&2 || true
  fi
done
if ((${#failed[@]})); then
  echo "tools: not built: ${failed[*]}" >&2
  exit 1
fi
