//! Lets the linker leave Node's symbols open where it does not do so by itself (macOS).

fn main() {
    napi_build::setup();
}
