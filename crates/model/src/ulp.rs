//! Upper-layer protocols on a TCP socket (`INET_DIAG_ULP_INFO`): kernel TLS and MPTCP subflows.

use crate::Name;

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
