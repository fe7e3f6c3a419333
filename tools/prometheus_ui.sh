#!/usr/bin/env bash
# Builds Prometheus' own web pages, which its Go module has in source: see README.md beside this file.
set -euo pipefail

pnpm=pnpm@10
prometheus=github.com/prometheus/prometheus
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(awk -v module="$prometheus" '$1 == module {print $2}' "$here/prometheus/go.mod")
# Prometheus looks for its pages here when it is started in a folder that is called `prometheus`.
pages=$(dirname "$here")/.tools/prometheus/web/ui/static/mantine-ui

if [[ -f $pages/$version ]]; then
  echo "tools: the pages of Prometheus are built and current in .tools/prometheus"
  exit 0
fi
for program in go npm; do
  if ! command -v "$program" >/dev/null; then
    echo "tools/prometheus_ui.sh: no $program on the PATH; Prometheus works without its pages" >&2
    exit 2
  fi
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "tools: building the pages of Prometheus; about 3 minutes"
cd "$here/prometheus"
go mod download "$prometheus"
module=$(go list -mod=readonly -m -f '{{.Dir}}' "$prometheus")
cp -R "$module/web/ui/." "$scratch"
chmod -R u+w "$scratch"
cd "$scratch"
npm exec --yes --package "$pnpm" -- pnpm install --frozen-lockfile
npm exec --yes --package "$pnpm" -- pnpm run build:mantine-ui
rm -rf "$pages"
mkdir -p "$(dirname "$pages")"
mv static/mantine-ui "$pages"
touch "$pages/$version"
