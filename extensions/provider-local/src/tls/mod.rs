//! `tls_self_signed_cert`.
//!
//! The key and the certificate live in state alone. One that is due for renewal counts as gone, so that the next plan
//! makes another.

mod adopt;
mod make;
mod resource;

pub(crate) use resource::SelfSignedCert;
