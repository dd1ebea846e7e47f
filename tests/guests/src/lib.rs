//! Components that misbehave, for the tests of the plugin host.
