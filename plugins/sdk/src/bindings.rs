//! The generated Rust of the WIT package, one module a world; `types` and `log` are shared.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

pub mod param_format {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "param-format-plugin",
        pub_export_macro: true,
        export_macro_name: "export_param_format_component",
        default_bindings_module: "dewar_plugin::bindings::param_format",
        generate_all,
    });
}

pub mod stage_executor {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "stage-executor-plugin",
        pub_export_macro: true,
        export_macro_name: "export_stage_executor_component",
        default_bindings_module: "dewar_plugin::bindings::stage_executor",
        with: {
            "dewar:plugin/types@0.1.0": super::param_format::dewar::plugin::types,
            "dewar:plugin/log@0.1.0": super::param_format::dewar::plugin::log,
        },
        generate_all,
    });
}

pub mod checkpoint_policy {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "checkpoint-policy-plugin",
        pub_export_macro: true,
        export_macro_name: "export_checkpoint_policy_component",
        default_bindings_module: "dewar_plugin::bindings::checkpoint_policy",
        with: {
            "dewar:plugin/types@0.1.0": super::param_format::dewar::plugin::types,
            "dewar:plugin/log@0.1.0": super::param_format::dewar::plugin::log,
        },
        generate_all,
    });
}

pub use param_format::dewar::plugin::{log, types};
