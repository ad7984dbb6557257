//! Downloads of images, from a pretend release in an OCI layout.

use schematics::Arch;
use tests::http::{Answer, exchange};
use tests::release::kernel;
use tests::server::Factory;

const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

fn factory() -> Factory {
    let factory = Factory::with_release(&[]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    factory
}

fn image(rest: &str) -> String {
    format!("/image/{VANILLA}/{rest}")
}

#[test]
fn a_kernel_is_the_file_of_the_release() {
    let factory = factory();
    for (name, arch) in [
        ("kernel-amd64", Arch::Amd64),
        ("kernel-x86_64", Arch::Amd64),
        ("kernel-i386", Arch::Amd64),
        ("kernel-arm64", Arch::Arm64),
    ] {
        let answer = factory.get(&image(&format!("v1.13.0/{name}")));
        assert_eq!((answer.status, answer.body.as_slice()), (200, kernel(arch).as_slice()), "{name}");
        for (header, value) in [
            ("content-type", "application/octet-stream"),
            ("content-length", kernel(arch).len().to_string().as_str()),
            ("content-disposition", &format!("attachment; filename=\"{name}\"")),
            ("accept-ranges", "bytes"),
            ("cache-control", "public, max-age=31536000, immutable"),
        ] {
            assert_eq!(answer.header(header), Some(value), "{name} {header}");
        }
        assert_eq!(answer.header("transfer-encoding"), None);
        assert_eq!(answer.header("content-encoding"), None);
        assert!(answer.header("etag").is_some_and(|tag| tag.starts_with('"') && tag.len() == 66));
        let head = factory.head(&image(&format!("v1.13.0/{name}")));
        assert_eq!((head.status, head.body.len()), (200, 0));
        for header in [
            "content-type",
            "content-length",
            "content-disposition",
            "etag",
            "accept-ranges",
            "cache-control",
        ] {
            assert_eq!(head.header(header), answer.header(header), "{header}");
        }
    }
}

#[test]
fn every_range_is_the_same_stretch_of_the_file() {
    let factory = factory();
    let path = image("v1.13.0/kernel-amd64");
    let flat = kernel(Arch::Amd64);
    let len = flat.len();
    let cases: [(String, u16, &[u8]); 14] = [
        ("bytes=0-0".into(), 206, &flat[..1]),
        ("bytes=0-511".into(), 206, &flat[..512]),
        ("bytes=100-".into(), 206, &flat[100..]),
        ("bytes=-100".into(), 206, &flat[len - 100..]),
        (format!("bytes=-{}", len * 2), 206, &flat),
        (format!("bytes={}-{}", len - 1, len * 2), 206, &flat[len - 1..]),
        ("bytes=32768-33000".into(), 206, &flat[32_768..=33_000]),
        (format!("bytes={len}-"), 416, b"the range begins behind the end of the file\n"),
        ("bytes=-0".into(), 416, b"the range begins behind the end of the file\n"),
        ("bytes=0-1,5-6".into(), 200, &flat),
        ("bytes=5-1".into(), 200, &flat),
        ("bytes=x".into(), 200, &flat),
        ("items=0-1".into(), 200, &flat),
        ("bytes=0-99999999999999999999999".into(), 206, &flat),
    ];
    for (range, status, body) in cases {
        let answer = factory.get_with(&path, &[("Range", &range)]);
        assert_eq!((answer.status, answer.body.len()), (status, body.len()), "{range}");
        assert!(answer.body == body, "{range}: other bytes");
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()), "{range}");
        assert_eq!(answer.header("content-range").is_some(), status != 200, "{range}");
    }
    let past = factory.get_with(&path, &[("Range", &format!("bytes={len}-"))]);
    assert_eq!(past.header("content-range"), Some(format!("bytes */{len}").as_str()));
    let part = factory.get_with(&path, &[("Range", "bytes=2-3")]);
    assert_eq!(part.header("content-range"), Some(format!("bytes 2-3/{len}").as_str()));
    assert_eq!(factory.send("HEAD", &path, &[("Range", "bytes=2-3")], b"").status, 200);
}

#[test]
fn a_download_can_be_resumed_and_nothing_old_is_mixed_in() {
    let factory = factory();
    let path = image("v1.13.0/kernel-amd64");
    let etag = factory.head(&path).header("etag").unwrap().to_owned();
    let weak = format!("W/{etag}");
    let listed = format!("\"other\", {etag}");
    let cases: [(&[(&str, &str)], u16); 12] = [
        (&[("If-None-Match", &etag)], 304),
        (&[("If-None-Match", &weak)], 304),
        (&[("If-None-Match", "*")], 304),
        (&[("If-None-Match", &listed)], 304),
        (&[("If-None-Match", "\"other\"")], 200),
        (&[("If-Match", &etag), ("Range", "bytes=1-2")], 206),
        (&[("If-Match", "\"other\""), ("Range", "bytes=1-2")], 412),
        (&[("If-Match", &weak)], 412),
        (&[("If-Match", "*")], 200),
        (&[("If-Range", &etag), ("Range", "bytes=1-2")], 206),
        (&[("If-Range", "\"other\""), ("Range", "bytes=1-2")], 200),
        (&[("If-Range", "Tue, 01 Jan 2030 00:00:00 GMT"), ("Range", "bytes=1-2")], 200),
    ];
    for (headers, status) in cases {
        let answer = factory.get_with(&path, headers);
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("etag"), Some(etag.as_str()), "{headers:?}");
        if status == 304 {
            assert!(answer.body.is_empty());
        }
    }
}

#[test]
fn the_etag_tells_assets_apart_and_survives_a_restart() {
    // The address of a factory is in its images, and the port of a test changes.
    let fixed = [("external-url", "http://factory.example")];
    let factory = Factory::with_release(&fixed).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    let assets =
        ["kernel-amd64", "kernel-arm64", "initramfs-amd64.xz", "initramfs-arm64.xz", "cmdline-metal-amd64"];
    let tags = |factory: &Factory| {
        let tag = |asset| factory.head(&image(&format!("v1.13.0/{asset}"))).header("etag").map(str::to_owned);
        assets.map(|asset| tag(asset).unwrap())
    };
    let first = tags(&factory);
    assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), assets.len());
    let again = Factory::start_on(factory.stop().unwrap(), &fixed).unwrap();
    assert_eq!(tags(&again), first);
    // Made from nothing, elsewhere, they are the same too.
    let other = Factory::with_release(&fixed).unwrap();
    assert_eq!(other.post_schematic("{}").status, 201);
    assert_eq!(tags(&other), first);
}

#[test]
fn the_file_name_can_be_chosen_and_stays_a_file_name() {
    let factory = factory();
    for (query, disposition) in [
        ("filename=custom-filename.iso", "attachment; filename=\"custom-filename.iso\""),
        ("filename=a%22b%0d%0aX:%20y", "attachment; filename=\"a\\\"bX: y\""),
        ("filename=..%2F..%2Fetc%2Fpasswd", "attachment; filename=\"passwd\""),
        ("filename=gr%C3%BC%C3%9Fe", "attachment; filename=\"gr__e\"; filename*=UTF-8''gr%C3%BC%C3%9Fe"),
        ("filename=", "attachment; filename=\"download\""),
        ("other=x", "attachment; filename=\"kernel-amd64\""),
        ("filename=%ff%fe", "attachment; filename=\"__\"; filename*=UTF-8''%EF%BF%BD%EF%BF%BD"),
        ("filename=a&filename=b", "attachment; filename=\"a\""),
    ] {
        let answer = factory.head(&image(&format!("v1.13.0/kernel-amd64?{query}")));
        assert_eq!(
            (answer.status, answer.header("content-disposition")),
            (200, Some(disposition)),
            "{query}"
        );
    }
}

#[test]
fn command_lines_are_exact() {
    let factory = factory();
    let common = "slab_nomerge pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on";
    let ima = "ima_template=ima-ng ima_appraise=fix ima_hash=sha512";
    for (asset, line) in [
        (
            "v1.5.0/cmdline-metal-amd64",
            format!("talos.platform=metal console=ttyS0 console=tty0 init_on_alloc=1 {common} {ima}"),
        ),
        (
            "v1.8.2/cmdline-metal-amd64",
            format!("talos.platform=metal console=tty0 init_on_alloc=1 {common} {ima}"),
        ),
        (
            "v1.10.0/cmdline-metal-amd64",
            format!("talos.platform=metal console=tty0 init_on_alloc=1 {common} {ima} selinux=1"),
        ),
        (
            "v1.11.0/cmdline-metal-amd64",
            format!("talos.platform=metal console=tty0 init_on_alloc=1 {common} selinux=1"),
        ),
        (
            "v1.12.0/cmdline-metal-amd64",
            format!(
                "talos.platform=metal console=tty0 init_on_alloc=1 {common} selinux=1 module.sig_enforce=1"
            ),
        ),
        (
            "v1.13.0/cmdline-aws-arm64",
            format!(
                "talos.platform=aws console=tty1 console=ttyS0 net.ifnames=0 init_on_alloc=1 {common} selinux=1 module.sig_enforce=1 proc_mem.force_override=never"
            ),
        ),
    ] {
        let answer = factory.get(&image(asset));
        assert_eq!((answer.status, answer.text()), (200, line), "{asset}");
    }
}

#[test]
fn extra_arguments_and_meta_reach_the_command_line() {
    let factory = factory();
    let id = |body: &str| factory.post_schematic(body).json()["id"].as_str().unwrap().to_owned();
    let extra = id("customization: {extraKernelArgs: [nolapic, nomodeset, -consoleblank]}");
    let line = factory.get(&format!("/image/{extra}/v1.13.0/cmdline-metal-amd64")).text();
    assert!(line.ends_with(" nolapic nomodeset") && !line.contains("consoleblank"), "{line}");
    let meta = id(r#"customization: {meta: [{key: 0xa, value: '{"externalIPs":["1.2.3.4"]}'}]}"#);
    let line = factory.get(&format!("/image/{meta}/v1.5.0/cmdline-metal-amd64")).text();
    let expected = " talos.environment=INSTALLER_META_BASE64=MHhhPXsiZXh0ZXJuYWxJUHMiOlsiMS4yLjMuNCJdfQ==";
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn scripts_are_exact_and_lead_to_files_that_are_there() {
    let factory = Factory::with_release(&[("pxe-url", "http://boot.example/")]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    let line = factory.get(&image("v1.13.0/cmdline-metal-amd64")).text();
    for target in ["metal-amd64", "metal-x86_64", "metal-amd64/"] {
        for version in ["v1.13.0", "1.13.0"] {
            let answer = factory.get(&format!("/pxe/{VANILLA}/{version}/{target}"));
            let base = format!("http://boot.example/image/{VANILLA}/v1.13.0");
            let script = format!(
                "#!ipxe\n\nimgfree\nkernel {base}/kernel-amd64 {line}\ninitrd {base}/initramfs-amd64.xz\nboot\n"
            );
            assert_eq!((answer.status, answer.text()), (200, script), "{target}");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
    assert_eq!(factory.get(&image("v1.13.0/initramfs-amd64.xz")).status, 200);
    let unknown = factory.get("/pxe/aaaa/v1.13.0/metal-amd64");
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "schematic ID \"aaaa\" not found\n"));
    for (target, text) in [
        ("metal", "error parsing profile from path: invalid platform-arch: \"metal\"\n"),
        ("metal-mips", "error parsing profile from path: invalid architecture: \"mips\"\n"),
    ] {
        let answer = factory.get(&format!("/pxe/{VANILLA}/v1.13.0/{target}"));
        assert_eq!((answer.status, answer.text().as_str()), (400, text), "{target}");
    }
}

#[test]
fn what_cannot_be_made_is_told_with_the_reason() {
    let factory = factory();
    let id = |body: &str| factory.post_schematic(body).json()["id"].as_str().unwrap().to_owned();
    let extension = id("customization: {systemExtensions: {officialExtensions: [siderolabs/none]}}");
    let embedded = id("customization: {embeddedMachineConfiguration: 'machine: {}'}");
    let overlay = id("overlay: {name: rpi_generic, image: siderolabs/sbc-raspberrypi}");
    let cases = [
        (image("v1.13.0/metal-amd64.raw.zst"), 501, "not made by this factory yet"),
        (image("v1.13.0/installer-amd64-secureboot.tar"), 400, "secure boot is disabled"),
        (image("v1.13.0/metal-amd64-secureboot.iso"), 400, "secure boot is disabled"),
        (image("v1.13.7/kernel-amd64"), 404, "version 1.13.7 is not available"),
        (image("v1.3.0/metal-amd64.iso"), 404, "version 1.3.0 is not available"),
        (
            format!("/image/{extension}/v1.13.0/initramfs-amd64.xz"),
            400,
            "official extension \"siderolabs/none\" is not available for Talos version v1.13.0",
        ),
        (
            format!("/image/{embedded}/v1.11.0/initramfs-amd64.xz"),
            400,
            "embedding configuration is not supported for Talos version v1.11.0",
        ),
        (
            format!("/image/{overlay}/v1.6.0/initramfs-amd64.xz"),
            400,
            "overlay is not supported for Talos version v1.6.0",
        ),
    ];
    for (path, status, part) in cases {
        let answer = factory.get(&path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
        assert_eq!(factory.head(&path).status, status, "{path}");
    }
}

#[test]
fn many_may_ask_for_the_same_image_at_once() {
    let factory = factory();
    let path = image("v1.13.0/initramfs-amd64.xz");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(|| factory.get(&path))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    let metrics = factory.metrics();
    for name in [
        "image_factory_assets_built_total{talos_version=\"v1.13.0\",output_kind=\"initramfs\",arch=\"amd64\"}",
        "image_factory_assets_build_latency_seconds_count",
        "image_factory_assets_concurrency_latency_seconds_count",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
}

#[test]
fn old_clients_and_firmware_get_their_bytes() {
    let factory = factory();
    let path = image("v1.13.0/kernel-amd64");
    let old = exchange(factory.address(), format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    assert_eq!((old.status, old.body.len()), (200, kernel(Arch::Amd64).len()));
    // As EDK2 asks: HEAD, GET, and after a broken connection the rest, if it is still the same file.
    let head = factory.send("HEAD", &path, &[("User-Agent", "UefiHttpBoot/1.0"), ("Accept", "*/*")], b"");
    let (etag, length) = (head.header("etag").unwrap(), head.header("content-length").unwrap());
    let rest = factory.get_with(&path, &[("If-Match", etag), ("Range", "bytes=1000-")]);
    assert_eq!(rest.status, 206);
    assert_eq!(
        rest.header("content-range"),
        Some(format!("bytes 1000-{}/{length}", kernel(Arch::Amd64).len() - 1).as_str())
    );
    // A doubled slash, as joined URLs have, is no redirect.
    assert_eq!(factory.get(&path.replacen("/image/", "//image//", 1)).status, 200);
}
