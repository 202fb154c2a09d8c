//! Upper-layer protocols on a TCP socket (`INET_DIAG_ULP_INFO`): kernel TLS and MPTCP subflows.

use crate::Name;
use crate::field::{Id, Word, fields, flags, word_values};

/// `INET_DIAG_ULP_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ulp {
    /// `INET_ULP_INFO_NAME`, for example `tls` or `mptcp`.
    pub name: Option<Name>,
    /// `INET_ULP_INFO_TLS`.
    pub tls: Option<TlsInfo>,
    /// `INET_ULP_INFO_MPTCP`.
    pub mptcp: Option<MptcpSubflow>,
}

/// `TLS_INFO_*` (linux/tls.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// `TLS_INFO_VERSION`.
    pub version: Option<TlsVersion>,
    /// `TLS_INFO_CIPHER`.
    pub cipher: Option<TlsCipher>,
    /// `TLS_INFO_TXCONF`: where records are encrypted.
    pub tx_conf: Option<TlsConf>,
    /// `TLS_INFO_RXCONF`: where records are decrypted.
    pub rx_conf: Option<TlsConf>,
    /// `TLS_INFO_ZC_RO_TX`: sendfile without a copy, for files that do not change (since 5.19).
    pub zerocopy_sendfile: bool,
    /// `TLS_INFO_RX_NO_PAD`: the peer was promised not to pad (since 6.0).
    pub rx_no_pad: bool,
    /// `TLS_INFO_TX_MAX_PAYLOAD_LEN`: largest payload of a record sent, bytes.
    pub tx_max_payload_len: Option<u16>,
}

/// The version of TLS, as it stands in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// TLS 1.2 (RFC 5246).
    pub const TLS_1_2: TlsVersion = TlsVersion(0x0303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS_1_3: TlsVersion = TlsVersion(0x0304);
}

/// `TLS_CIPHER_*` (linux/tls.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsCipher(pub u16);

impl TlsCipher {
    /// The cipher's name in lower case, `None` for one that this version does not know.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            51 => "aes-gcm-128",
            52 => "aes-gcm-256",
            53 => "aes-ccm-128",
            54 => "chacha20-poly1305",
            55 => "sm4-gcm",
            56 => "sm4-ccm",
            57 => "aria-gcm-128",
            58 => "aria-gcm-256",
            _ => return None,
        })
    }
}

/// `TLS_CONF_*`: who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsConf(pub u16);

impl TlsConf {
    /// `none`, `sw` (kernel), `hw` (network card) or `hw-record`; `None` for an unknown number.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "none",
            2 => "sw",
            3 => "hw",
            4 => "hw-record",
            _ => return None,
        })
    }
}

/// `MPTCP_SUBFLOW_ATTR_*` (linux/mptcp.h): a TCP socket that is one path of an MPTCP connection
/// (RFC 8684).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MptcpSubflow {
    /// `TOKEN_REM`: the peer's token.
    pub token_remote: Option<u32>,
    /// `TOKEN_LOC`: our token.
    pub token_local: Option<u32>,
    /// `RELWRITE_SEQ`: relative write sequence number.
    pub relative_write_seq: Option<u32>,
    /// `MAP_SEQ`: data sequence number of the current mapping.
    pub map_seq: Option<u64>,
    /// `MAP_SFSEQ`: subflow sequence number of the current mapping.
    pub map_subflow_seq: Option<u32>,
    /// `SSN_OFFSET`: offset of the subflow's sequence numbers.
    pub ssn_offset: Option<u32>,
    /// `MAP_DATALEN`: length of the current mapping, bytes.
    pub map_data_len: Option<u16>,
    /// `FLAGS`: `MPTCP_SUBFLOW_FLAG_*`.
    pub flags: Option<u32>,
    /// `ID_REM`: the peer's address identifier.
    pub id_remote: Option<u8>,
    /// `ID_LOC`: our address identifier.
    pub id_local: Option<u8>,
}

impl Word for TlsVersion {
    const NAMES: &'static [&'static str] = &["1.2", "1.3"];
    fn name(self) -> Option<&'static str> {
        match self {
            TlsVersion::TLS_1_2 => Some("1.2"),
            TlsVersion::TLS_1_3 => Some("1.3"),
            _ => None,
        }
    }
    fn number(self) -> u64 {
        self.0.into()
    }
}

impl Word for TlsCipher {
    const NAMES: &'static [&'static str] = &[
        "aes-gcm-128",
        "aes-gcm-256",
        "aes-ccm-128",
        "chacha20-poly1305",
        "sm4-gcm",
        "sm4-ccm",
        "aria-gcm-128",
        "aria-gcm-256",
    ];
    fn name(self) -> Option<&'static str> {
        TlsCipher::name(self)
    }
    fn number(self) -> u64 {
        self.0.into()
    }
}

impl Word for TlsConf {
    const NAMES: &'static [&'static str] = &["none", "sw", "hw", "hw-record"];
    fn name(self) -> Option<&'static str> {
        TlsConf::name(self)
    }
    fn number(self) -> u64 {
        self.0.into()
    }
}

word_values!(TlsVersion, TlsCipher, TlsConf);

flags! {
    /// `MPTCP_SUBFLOW_FLAG_*` (linux/mptcp.h).
    MptcpFlags(u32): "mcap_rem", "mcap_loc", "join_rem", "join_loc", "bkup_rem", "bkup_loc",
        "fully_established", "connected", "mapvalid";
}

fields! {
    Ulp, Ulp { name, tls, mptcp } => {
        /// Name of the upper-layer protocol.
        ulp: Option<&[u8]> = name.as_ref().map(Name::as_bytes), "", "INET_ULP_INFO_NAME", "5.4";
    }
    then { tls, mptcp }
}

fields! {
    TlsInfo, TlsInfo {
        version, cipher, tx_conf, rx_conf, zerocopy_sendfile, rx_no_pad, tx_max_payload_len
    } => {
        /// Version of TLS.
        tls_version: Option<TlsVersion> = *version, "", "TLS_INFO_VERSION", "5.4";
        /// Cipher.
        tls_cipher: Option<TlsCipher> = *cipher, "", "TLS_INFO_CIPHER", "5.4";
        /// Where records are encrypted: sw in the kernel, hw in the network card.
        tls_tx_conf: Option<TlsConf> = *tx_conf, "", "TLS_INFO_TXCONF", "5.4";
        /// Where records are decrypted: sw in the kernel, hw in the network card.
        tls_rx_conf: Option<TlsConf> = *rx_conf, "", "TLS_INFO_RXCONF", "5.4";
        /// True when sendfile sends without a copy; else absent, as the kernel does not tell no.
        tls_zerocopy_sendfile: Option<bool> = zerocopy_sendfile.then_some(true), "", "TLS_INFO_ZC_RO_TX", "5.19";
        /// True when the peer was promised not to pad; else absent, as the kernel does not tell no.
        tls_rx_no_pad: Option<bool> = rx_no_pad.then_some(true), "", "TLS_INFO_RX_NO_PAD", "6.0";
        /// Largest payload of a record sent.
        tls_tx_max_payload_len_bytes: Option<u16> = *tx_max_payload_len, "bytes", "TLS_INFO_TX_MAX_PAYLOAD_LEN", "6.19";
    }
}

fields! {
    MptcpSubflow, MptcpSubflow {
        token_remote, token_local, relative_write_seq, map_seq, map_subflow_seq, ssn_offset,
        map_data_len, flags, id_remote, id_local
    } => {
        /// The peer's token.
        mptcp_token_remote: Option<u32> = *token_remote, "", "MPTCP_SUBFLOW_ATTR_TOKEN_REM", "5.7";
        /// Our token.
        mptcp_token_local: Option<u32> = *token_local, "", "MPTCP_SUBFLOW_ATTR_TOKEN_LOC", "5.7";
        /// Relative write sequence number.
        mptcp_relative_write_seq: Option<u32> = *relative_write_seq, "", "MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ", "5.7";
        /// Data sequence number of the current mapping.
        mptcp_map_seq: Option<Id> = map_seq.map(Id), "", "MPTCP_SUBFLOW_ATTR_MAP_SEQ", "5.7";
        /// Subflow sequence number of the current mapping.
        mptcp_map_subflow_seq: Option<u32> = *map_subflow_seq, "", "MPTCP_SUBFLOW_ATTR_MAP_SFSEQ", "5.7";
        /// Offset of the subflow's sequence numbers.
        mptcp_ssn_offset: Option<u32> = *ssn_offset, "", "MPTCP_SUBFLOW_ATTR_SSN_OFFSET", "5.7";
        /// Length of the current mapping.
        mptcp_map_data_len_bytes: Option<u16> = *map_data_len, "bytes", "MPTCP_SUBFLOW_ATTR_MAP_DATALEN", "5.7";
        /// What was negotiated on the subflow, and how it stands.
        mptcp_flags: Option<MptcpFlags> = flags.map(MptcpFlags), "", "MPTCP_SUBFLOW_ATTR_FLAGS", "5.7";
        /// The peer's address identifier.
        mptcp_id_remote: Option<u8> = *id_remote, "", "MPTCP_SUBFLOW_ATTR_ID_REM", "5.7";
        /// Our address identifier.
        mptcp_id_local: Option<u8> = *id_local, "", "MPTCP_SUBFLOW_ATTR_ID_LOC", "5.7";
    }
}
