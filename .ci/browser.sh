# Sourced by run: a Chromium for the tests of the reports, Debian's where there is none.

need_browser() {
    local name
    for name in chromium chromium-browser google-chrome chrome; do
        if command -v "$name" >/dev/null; then
            echo "== Browser: $name"
            return
        fi
    done
    echo "== Browser: installing chromium"
    # Where it can't be had the tests that need it fail by themselves and say so.
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
        echo "chromium could not be installed" >&2
}
