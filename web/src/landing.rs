//! The front page, for people and for language models.

use crate::escape;

/// What the front page says about a factory.
#[derive(Debug, Clone, Copy)]
pub struct Landing<'a> {
    /// Its name and version.
    pub name: &'a str,
    /// How it is reached; no slash at its end.
    pub url: &'a str,
}

/// The id of the schematic that asks for nothing.
const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

impl Landing<'_> {
    /// The page. It needs no script, no style sheet and no second request.
    #[must_use]
    pub fn html(&self) -> String {
        let (name, url) = (escape(self.name), escape(self.url));
        format!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Image Factory</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
pre {{ overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .25rem }}
footer {{ margin-top: 3rem; font-size: .875rem }}
</style>
</head>
<body>
<h1>Image Factory</h1>
<p>This server makes boot images of <a href="https://www.talos.dev/">Talos Linux</a>. You say what should be in them,
in a <em>schematic</em>: system extensions, kernel arguments, META values. You get an id for it, and with the id every
boot image of every Talos version.</p>
<h2>Create a schematic</h2>
<pre>cat &gt; schematic.yaml &lt;&lt;'END'
customization:
    extraKernelArgs:
        - vga=791
END
curl --data-binary @schematic.yaml {url}/schematics</pre>
<p>The same schematic has the same id everywhere and always. The one that asks for nothing is
<code>{VANILLA}</code>.</p>
<h2>Download an image</h2>
<pre>curl -OJ {url}/image/<em>id</em>/<em>version</em>/metal-amd64.iso</pre>
<p>Instead of <code>metal-amd64.iso</code> also <code>kernel-amd64</code>, <code>initramfs-amd64.xz</code>,
<code>cmdline-metal-amd64</code>, <code>metal-amd64-uki.efi</code>; and <code>arm64</code> instead of
<code>amd64</code>. Downloads can be resumed.</p>
<h2>Boot over the network</h2>
<pre>chain {url}/pxe/<em>id</em>/<em>version</em>/metal-amd64</pre>
<h2>See what there is</h2>
<ul>
<li><a href="/versions">Talos versions</a></li>
<li><code>/version/<em>version</em>/extensions/official</code>: system extensions of a version</li>
<li><code>/version/<em>version</em>/overlays/official</code>: overlays for single-board computers</li>
<li><a href="/llms.txt">This page for language models</a></li>
</ul>
<footer>{name}</footer>
</body>
</html>
"#
        )
    }

    /// The same as plain text for language models.
    #[must_use]
    pub fn llms(&self) -> String {
        let url = self.url;
        format!(
            "# Image Factory

This server makes boot images of Talos Linux. A schematic says what is in them; its id is the SHA-256 of its canonical
YAML, so the same schematic always has the same id.

## Steps

1. Create a schematic: POST {url}/schematics with YAML or JSON. The answer is JSON with `id` and `schematic`.
2. Choose a version: GET {url}/versions is a JSON array. Extensions of a version:
   GET {url}/version/<version>/extensions/official.
3. Download: GET {url}/image/<id>/<version>/<asset>. HEAD says the size without building anything; ranges are served.

## Schematic

All keys are optional:

```yaml
overlay:
    image: siderolabs/sbc-raspberrypi
    name: rpi_generic
    options: {{}}
customization:
    extraKernelArgs: [vga=791, -console]
    meta:
        - key: 10
          value: text
    systemExtensions:
        officialExtensions: [siderolabs/gvisor]
    embeddedMachineConfiguration: \"\"
    bootloader: sd-boot
    secureboot:
        enrollKeys: if-safe
        includeWellKnownCertificates: true
    diskImage:
        sectorSize: 4096
```

A kernel argument with `-` in front removes that argument. Unknown keys are refused.

## Assets

- `kernel-<arch>`, `initramfs-<arch>.xz`, `cmdline-<platform>-<arch>`
- `<platform>-<arch>.iso`, `<platform>-<arch>-uki.efi`
- `<arch>` is `amd64` or `arm64`; `<platform>` is `metal`, `nocloud`, `aws` or another platform of Talos

## Network boot

GET {url}/pxe/<id>/<version>/<platform>-<arch> is an iPXE script.

## The schematic that asks for nothing

{VANILLA}
"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_shown_as_text_only() {
        let page = Landing { name: "Factory", url: "http://x/\"><script>" }.html();
        assert!(!page.contains("<script>"));
        assert!(page.contains("http://x/&quot;&gt;&lt;script&gt;/schematics"));
    }
}
