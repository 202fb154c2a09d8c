//! `INET_DIAG_ULP_INFO`: kernel TLS (linux/tls.h) and MPTCP subflows (linux/mptcp.h).

use sockeye_model::{MptcpSubflow, Name, TlsCipher, TlsConf, TlsInfo, TlsVersion, Ulp};
use sockeye_netlink::Attributes;

pub(crate) fn ulp(attrs: &mut Attributes<'_>) -> Ulp {
    let mut ulp = Ulp::default();
    while attrs.next() {
        match attrs.kind() {
            1 => ulp.name = Some(Name::new(attrs.bytes())),
            2 => ulp.tls = Some(attrs.nested(tls)),
            3 => ulp.mptcp = Some(attrs.nested(mptcp)),
            _ => {}
        }
    }
    ulp
}

/// `TLS_INFO_*`.
fn tls(attrs: &mut Attributes<'_>) -> TlsInfo {
    let mut tls = TlsInfo::default();
    while attrs.next() {
        match attrs.kind() {
            1 => tls.version = attrs.u16().map(TlsVersion),
            2 => tls.cipher = attrs.u16().map(TlsCipher),
            3 => tls.tx_conf = attrs.u16().map(TlsConf),
            4 => tls.rx_conf = attrs.u16().map(TlsConf),
            5 => tls.zerocopy_sendfile = true,
            6 => tls.rx_no_pad = true,
            7 => tls.tx_max_payload_len = attrs.u16(),
            _ => {}
        }
    }
    tls
}

/// `MPTCP_SUBFLOW_ATTR_*`.
fn mptcp(attrs: &mut Attributes<'_>) -> MptcpSubflow {
    let mut subflow = MptcpSubflow::default();
    while attrs.next() {
        match attrs.kind() {
            1 => subflow.token_remote = attrs.u32(),
            2 => subflow.token_local = attrs.u32(),
            3 => subflow.relative_write_seq = attrs.u32(),
            4 => subflow.map_seq = attrs.u64(),
            5 => subflow.map_subflow_seq = attrs.u32(),
            6 => subflow.ssn_offset = attrs.u32(),
            7 => subflow.map_data_len = attrs.u16(),
            8 => subflow.flags = attrs.u32(),
            9 => subflow.id_remote = attrs.u8(),
            10 => subflow.id_local = attrs.u8(),
            _ => {}
        }
    }
    subflow
}
