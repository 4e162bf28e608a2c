//! How the nouns that are written as text look in OpenAPI: strings with a pattern or an example.
//!
//! Only descriptions; what is right is said by each type's `FromStr`.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::{ArtifactRef, BuildId, HostId, HostName, Mac, Name, SessionId, SmbiosUuid, TokenHash};

macro_rules! written_as_text {
    ($($name:ident: $what:literal, $example:literal;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let object = ObjectBuilder::new().schema_type(Type::String).description(Some($what)).examples([$example]);
                RefOr::T(Schema::Object(object.build()))
            }
        }
        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

written_as_text! {
    Name: "A name: 1 to 63 of a-z A-Z 0-9 . _ -, beginning with a letter or digit", "debian-12";
    HostName: "A host name (RFC 1123), with or without its domain", "n1.lab.test";
    Mac: "A MAC address; every usual spelling is read, this one is written", "52:54:00:ab:cd:ef";
    SmbiosUuid: "The system UUID of SMBIOS", "4c4c4544-0051-3510-8058-b4c04f4d3332";
    HostId: "A host's identity (UUID version 7)", "019a9f3c-7c1e-7a0e-8f1b-3b2c1d0e9f8a";
    BuildId: "A build's identity (UUID version 7)", "019a9f3c-7c1e-7a0e-8f1b-3b2c1d0e9f8b";
    SessionId: "A boot session: 16 hexadecimal digits", "0123456789abcdef";
    ArtifactRef: "A file of an artifact: name/version/path", "debian-12/1/linux";
    TokenHash: "SHA-256 of a token, 64 hexadecimal digits", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
}
